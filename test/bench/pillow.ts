// The Pillow side of the import's measurement, kept running so that rounds of both sides alternate.
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { pythonWith } from '../support/python'

const program = resolve(import.meta.dirname, '../peers/pillow_import.py')
const answer = z.object({ images: z.int(), seconds: z.number(), cpuSeconds: z.number().nullable() })

export interface Pillow {
  /** @param fresh starts the two processes within the measured time */
  run(folder: string, out: string, fresh: boolean): Promise<z.infer<typeof answer>>
  close(): void
}

/** Pillow in two processes, or the reason why it can't be had. */
export async function startPillow(): Promise<Pillow | { missing: string }> {
  const python = await pythonWith(['pillow', 'numpy'])
  if ('missing' in python) return python
  const child = spawn(python.command, [program], { env: python.env, stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async run(folder, out, fresh) {
      child.stdin.write(`${JSON.stringify({ folder, out, fresh })}\n`)
      const line = await lines.next()
      if (line.done === true) throw new Error('Pillow ended.')
      return answer.parse(JSON.parse(line.value))
    },
    close: () => child.stdin.end(),
  }
}
