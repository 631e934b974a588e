// Datasets: import, report, looking at images. Long imports are jobs (see `jobs`).
import { z } from 'zod'
import { bytes, identifier, transform } from './common'
import { call, event } from './define'
import { datasetFile, datasetItem, skippedFile } from './files'

const byId = z.object({ id: identifier })
const page = z.object({ id: identifier, offset: z.int().min(0), limit: z.int().min(1).max(1000) })
const jobStarted = z.object({ jobId: identifier })

/** Largest piece of a file in one message; the transport's limit is a little above it. */
export const uploadChunkBytes = 1024 * 1024

export const datasets = {
  list: call(z.void(), z.array(datasetFile)),
  get: call(byId, datasetFile),
  /** Reads a folder of this machine in place. */
  importFolder: call(
    z.object({ path: z.string().min(1).max(4096), name: z.string().max(200).optional() }),
    jobStarted,
  ),
  /** The images that come with the app. */
  importSample: call(z.void(), jobStarted),
  /** Opens an upload; its files become a copy in the library. */
  uploadBegin: call(z.object({ name: z.string().min(1).max(200) }), z.object({ uploadId: identifier })),
  /** Appends to a file of the upload. `path` is relative with `/`; pieces of one file come in order. */
  uploadChunk: call(
    z.object({
      uploadId: identifier,
      path: z.string().min(1).max(1024),
      offset: z.int().min(0),
      data: bytes,
    }),
    z.void(),
  ),
  /** Closes the upload and imports it. */
  uploadFinish: call(z.object({ uploadId: identifier }), jobStarted),
  uploadCancel: call(z.object({ uploadId: identifier }), z.void()),
  rename: call(z.object({ id: identifier, name: z.string().min(1).max(200) }), datasetFile),
  /** Removes Gyre's own files; source images stay. Refused while a run is using it. */
  remove: call(byId, z.void()),
  items: call(page, z.object({ total: z.int(), items: z.array(datasetItem) })),
  skipped: call(page, z.object({ total: z.int(), items: z.array(skippedFile) })),
  /** PNG thumbnails, `size` pixels on the longer side, in the order asked; null where the file has gone. */
  thumbnails: call(
    z.object({ id: identifier, indices: z.array(z.int().min(0)).max(200), size: z.int().min(16).max(512) }),
    z.array(bytes.nullable()),
  ),
  /** One image as the model would see it (PNG). */
  preview: call(z.object({ id: identifier, index: z.int().min(0), transform }), bytes),
  onChange: event(z.object({ id: identifier, dataset: datasetFile.nullable() })),
} as const
