// A run with as many codes as asked, looked at once: its inspection and what every code decodes to lie on disk. The model
// is trained for a moment only; how a browser of codes looks and moves does not depend on more.
import { join } from 'node:path'
import { importFolder, jobDone, openService, runWhen, tinyConfig } from '../integration/service/open-service'
import { copyEmoji } from './sample'

export interface LargeCodebook {
  runId: string
  /** Codes, most used first, equal ones by their number: as the window orders them. */
  order: number[]
  /** RGB, `size`×`size` a code, by number. */
  size: number
  pixels: Uint8Array
}

/** Codes in one question, as many as the contract allows. */
const atOnce = 512

/** Makes the run in a new library in `folder`, over `images` emoji. */
export async function makeLargeCodebook(
  folder: string,
  library: string,
  { codes, images }: { codes: number; images: number },
): Promise<LargeCodebook> {
  await copyEmoji(join(folder, 'images'), images)
  const { attach, close } = await openService(library)
  try {
    const client = attach()
    const datasetId = await importFolder(client, join(folder, 'images'))
    const config = {
      ...tinyConfig,
      codebookSize: codes,
      steps: 100,
      learningRate: 0.003,
      codebookInit: 'data',
    } as const
    const { id: runId } = await client.runs.create({ datasetId, config })
    await runWhen(client, runId, ({ status }) => status === 'finished')
    const { jobId } = await client.inspector.open({ runId })
    if (jobId !== null) await jobDone(client, jobId)
    const counts = (await client.inspector.summary({ runId }))?.counts ?? new Int32Array()
    const order = Array.from(counts.keys()).sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0) || a - b)
    const parts: Uint8Array[] = []
    let size = 0
    for (let from = 0; from < codes; from += atOnce) {
      const indices = Array.from({ length: Math.min(atOnce, codes - from) }, (_, i) => from + i)
      const tiles = await client.inspector.decodedTiles({ runId, indices })
      size = tiles.size
      parts.push(tiles.pixels)
    }
    return { runId, order, size, pixels: new Uint8Array(Buffer.concat(parts)) }
  } finally {
    await close()
  }
}
