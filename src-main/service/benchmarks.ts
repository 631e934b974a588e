// The latest measurement of each engine, with the computer that it was made on: one small JSON file of the library. A
// damaged file means that nothing was measured, never a crash.
import { readFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { z } from 'zod'
import { engineBenchmark, type EngineBenchmark } from '#shared/contract/engines'
import { atomicWriteJson } from '#main/data/atomic'

const benchmarksFile = z.array(engineBenchmark)

/** The computer that this process runs on. */
export function thisMachine(): EngineBenchmark['machine'] {
  const all = cpus()
  const processor = all[0]?.model.trim() ?? ''
  const platform = `${process.platform} ${process.arch}`
  return { processor, threads: all.length, memoryBytes: totalmem(), platform }
}

export class Benchmarks {
  constructor(private readonly file: string) {}

  async list(): Promise<EngineBenchmark[]> {
    try {
      return benchmarksFile.parse(JSON.parse(await readFile(this.file, 'utf8')))
    } catch {
      return []
    }
  }

  /** Takes the place of what was measured on the same engine before. */
  async keep(found: EngineBenchmark): Promise<void> {
    const others = (await this.list()).filter(({ engine }) => engine.id !== found.engine.id)
    await atomicWriteJson(this.file, [...others, found])
  }
}
