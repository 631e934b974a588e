// Where a measurement goes: the terminal, and a JSON file when GYRE_BENCH_OUT names a folder.
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'

export async function report(name: string, figures: Record<string, unknown>): Promise<void> {
  const machine = { cpu: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version }
  const text = JSON.stringify({ name, machine, ...figures }, null, 2)
  process.stdout.write(`${text}\n`)
  const folder = process.env.GYRE_BENCH_OUT
  if (folder === undefined) return
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${name}.json`), `${text}\n`)
}
