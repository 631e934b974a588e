// What the service needs of a place where the trainer runs, whichever it is: a thread of this process (`thread-host`) or a
// process of its own (`process-host`, and the shell's). `chosenHost` picks for each engine.
import type { TrainerIsolation } from '#shared/contract/app'
import type { EngineWish } from '#shared/contract/common'
import type { GyreError } from '#shared/contract/errors'
import type { Transport } from '#shared/rpc/index'

export interface TrainerProcess {
  readonly isolation: TrainerIsolation
  /** Of a process of its own; null in a thread of this one, and where it could not be started. */
  readonly pid: number | null
  readonly transport: Transport
  /** Resolves when the trainer is gone: with what went wrong, or null after an orderly end. */
  readonly ended: Promise<GyreError | null>
  /** Ends it at once; resolves when it is gone. */
  kill(): Promise<void>
}

/** One way to start trainers. */
export interface TrainerHost {
  start(): Promise<TrainerProcess>
}

/** A host for each way to keep the trainer apart. */
export type TrainerHosts = Readonly<Record<TrainerIsolation, TrainerHost>>

export interface ChosenHost {
  /** Starts a trainer, which will load `engine`. */
  start(engine: EngineWish): Promise<TrainerProcess>
  /** Whether a trainer that runs already is where one for `engine` would be started now. */
  fits(trainer: TrainerProcess, engine: EngineWish): Promise<boolean>
}

/** Engines that load no graphics driver. */
const onProcessor: ReadonlySet<EngineWish> = new Set(['tensorflow-cpu', 'wasm'])

/**
 * Starts each trainer where `choose` says at that moment. What may compute on a graphics card always gets a process of
 * its own: a driver may crash, and WebGPU takes its process with it when its thread is ended in the middle of a call.
 */
export function chosenHost(hosts: TrainerHosts, choose: () => Promise<TrainerIsolation>): ChosenHost {
  const isolationOf = async (engine: EngineWish): Promise<TrainerIsolation> =>
    onProcessor.has(engine) ? choose() : 'process'
  return {
    start: async (engine) => hosts[await isolationOf(engine)].start(),
    fits: async ({ isolation }, engine) => isolation === (await isolationOf(engine)),
  }
}
