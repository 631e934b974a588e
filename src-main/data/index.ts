// What the service, the command line and the trainer use of `data`. The trainer may import `pack-reader`, `split` and
// `batches` alone, which load no image library.
export { atomicWriteFile, atomicWriteJson, sweepTemporaries } from './atomic'
export { createBatchSource, type Batch, type BatchOptions, type BatchSource, type BatchState } from './batches'
export { openPack, type PackInfo, type PackReader } from './pack-reader'
export { joinInside, resolveInside } from './paths'
export { splitIndices, validationCount } from './split'
