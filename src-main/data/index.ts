// What the service, the command line and the trainer use of `data`. The trainer may import `pack-reader`, `split` and
// `batches` alone, which load no image library.
export { atomicWriteFile, atomicWriteJson, sweepTemporaries } from './atomic'
export {
  createBatchSource,
  type Batch,
  type BatchOptions,
  type BatchSource,
  type BatchState,
} from './batches'
export {
  importDataset,
  readDataset,
  readItems,
  readSkipped,
  sourceFolder,
  type ImportOptions,
} from './dataset'
export { packDataset, packFolderOf, type PackOptions } from './pack'
export { openPack, type PackInfo, type PackReader } from './pack-reader'
export { joinInside, resolveInside } from './paths'
export { cropPatch, preview, thumbnail, type PatchOptions } from './pictures'
export type { Progress, WorkOptions } from './progress'
export { sampleFolder, type SampleImages } from './sample'
export { scanFolder, type Scanned } from './scan'
export { splitIndices, validationCount } from './split'
