// The engines as the window sees them: their state, which one a wish leads to, installing, testing, and reference
// vectors on them. What computes for a test runs in a trainer of its own, so that no run has to wait or is disturbed.
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { EngineWish } from '#shared/contract/common'
import type { EngineStatus } from '#shared/contract/app'
import { GyreError } from '#shared/contract/errors'
import type { EngineUsed } from '#shared/contract/files'
import { trainerContract } from '#shared/contract/trainer'
import type { VectorKind, Verification, VerifiedCase } from '#shared/contract/verify'
import { createClient } from '#shared/rpc/index'
import {
  chooseEngine,
  installEngine,
  listEngines,
  removeEngine,
  testEngine,
  type EngineCheck,
  type EngineId,
  type EngineOptions,
} from '#main/engine/index'
import type { Jobs, StartedJob } from './jobs'
import type { TrainerHost } from './trainer-host'

const names: Readonly<Record<EngineId, string>> = {
  'tensorflow-cuda': 'TensorFlow (NVIDIA GPU)',
  webgpu: 'WebGPU',
  'tensorflow-cpu': 'TensorFlow (CPU)',
  wasm: 'WebAssembly (CPU)',
}

/** The reference vectors that come with Gyre, beside the folder of the built trainer. */
export function bundledVectors(trainerEntry: string | URL): string {
  const entry = typeof trainerEntry === 'string' ? pathToFileURL(trainerEntry) : trainerEntry
  return fileURLToPath(new URL('../../resources/vectors/estimators.json', entry))
}

/** The worst error of a case, and whether it is within the bounds. */
function checkOf({ name, dim, quantities, pass }: VerifiedCase): EngineCheck {
  const error = Math.max(...Object.values(quantities).map(({ rel }) => rel ?? Number.MAX_VALUE), 0)
  return { name: `${name}, ${dim} dimensions`, error, pass }
}

export class Engines {
  constructor(
    private readonly jobs: Jobs,
    private readonly options: EngineOptions,
    private readonly host: TrainerHost,
    private readonly vectors: string,
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

  remove(id: EngineId): Promise<EngineStatus> {
    return removeEngine(id, this.options)
  }

  /** Compares a few operations with float64 in this thread, then the gradient estimators with reference vectors. */
  async test(id: EngineId): Promise<{ pass: boolean; checks: EngineCheck[] }> {
    const arithmetic = await testEngine(id, this.options)
    const estimators = await this.verify(id, 'estimators', this.vectors)
    return {
      pass: arithmetic.pass && estimators.pass,
      checks: [...arithmetic.checks, ...estimators.cases.map(checkOf)],
    }
  }

  /** Runs the reference vectors in `file` (absolute) on the engine that a wish leads to. */
  async verify(
    wish: EngineWish,
    kind: VectorKind,
    file: string,
    signal?: AbortSignal,
  ): Promise<Verification & { engine: EngineUsed }> {
    const trainer = this.host.start()
    const stop = (): void => void trainer.kill()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const client = createClient(trainerContract, trainer.transport)
      const engine = await client.trainer.load({ engine: wish })
      return { engine, ...(await client.trainer.verify({ kind, file })) }
    } catch (error) {
      signal?.throwIfAborted()
      const crash = error instanceof GyreError && error.code === 'disconnected' ? await trainer.ended : null
      throw crash ?? error
    } finally {
      signal?.removeEventListener('abort', stop)
      await trainer.kill()
    }
  }
}
