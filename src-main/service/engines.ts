// The engines as the window sees them: their state, which one a wish leads to, installing, testing.
import type { EngineWish } from '#shared/contract/common'
import type { EngineStatus } from '#shared/contract/app'
import type { EngineUsed } from '#shared/contract/files'
import {
  chooseEngine,
  installEngine,
  listEngines,
  testEngine,
  type EngineId,
  type EngineOptions,
} from '#main/engine/index'
import type { Jobs, StartedJob } from './jobs'

const names: Readonly<Record<EngineId, string>> = {
  'tensorflow-cpu': 'TensorFlow (CPU)',
  wasm: 'WebAssembly (CPU)',
}

export class Engines {
  constructor(
    private readonly jobs: Jobs,
    private readonly options: EngineOptions,
  ) {}

  list(): Promise<EngineStatus[]> {
    return listEngines(this.options)
  }

  choose(wish: EngineWish): Promise<{ id: EngineId; reason: string }> {
    return chooseEngine(wish, this.options)
  }

  /** What a wish leads to, without loading it. */
  async chosen(wish: EngineWish): Promise<EngineUsed> {
    const { id, reason } = await this.choose(wish)
    const status = (await this.list()).find((one) => one.id === id)
    return { id, name: names[id], version: status?.version ?? '', device: status?.device ?? '', reason }
  }

  install(id: EngineId): StartedJob<EngineStatus> {
    return this.jobs.start({ kind: 'engine-install', title: `Installing ${names[id]}` }, (job) =>
      installEngine(id, {
        ...this.options,
        signal: job.signal,
        onProgress: ({ message, done, total, unit }) => job.update({ phase: message, done, total, unit }),
      }),
    )
  }

  /** Loads the engine in this thread and compares a few operations with float64. */
  async test(id: EngineId) {
    const { pass, checks } = await testEngine(id, this.options)
    return { pass, checks: checks.map((check) => ({ ...check, pass: check.error <= 1e-4 })) }
  }
}
