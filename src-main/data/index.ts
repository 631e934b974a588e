// What the service, the command line and the trainer use of `data`. The trainer may import `pack-reader`, `split` and
// `batches` alone, which load no image library.
export { atomicWriteFile, atomicWriteJson, sweepTemporaries } from './atomic'
export type { BatchOptions } from './batch-plan'
export { createBatchSource, type Batch } from './batches'
export { importDataset, readDataset, readItems, readSkipped, skippedFileName } from './dataset'
export { packDataset, packFolderOf } from './pack'
export { openPack, type PackReader } from './pack-reader'
export { joinInside, leadsInside, resolveInside } from './paths'
export { cropPatch, preview, thumbnail } from './pictures'
export type { Progress } from './progress'
export { sampleFolder } from './sample'
export { scanFolder } from './scan'
export { splitIndices, validationCount } from './split'
