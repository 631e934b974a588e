// The Pillow side of the import's measurement, kept running so that rounds of both sides alternate.
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { pythonWith } from '../support/python'

const program = resolve(import.meta.dirname, '../peers/pillow_import.py')
const answer = z.object({ images: z.int(), seconds: z.number(), cpuSeconds: z.number().nullable() })

export interface Pillow {
  /** Of Pillow and of its JPEG library. */
  version: string
  /**
   * @param fresh starts the two processes within the measured time
   * @param draft lets JPEGs be scaled down while they are decoded
   */
  run(folder: string, out: string, how: { fresh: boolean; draft: boolean }): Promise<z.infer<typeof answer>>
  close(): void
}

/** Pillow in two processes, or the reason why it can't be had. */
export async function startPillow(): Promise<Pillow | { missing: string }> {
  const python = await pythonWith(['pillow', 'numpy'])
  if ('missing' in python) return python
  const child = spawn(python.command, [program], { env: python.env, stdio: ['pipe', 'pipe', 'inherit'] })
  const asked =
    'import PIL; from PIL import features as f; print(PIL.__version__, "libjpeg-turbo", f.version_feature("libjpeg_turbo"))'
  const version = (await python.run(['-c', asked])).trim()
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    version,
    async run(folder, out, how) {
      child.stdin.write(`${JSON.stringify({ folder, out, ...how })}\n`)
      const line = await lines.next()
      if (line.done === true) throw new Error('Pillow ended.')
      return answer.parse(JSON.parse(line.value))
    },
    close: () => child.stdin.end(),
  }
}
