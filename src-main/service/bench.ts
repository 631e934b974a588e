// Measures training steps on this machine: eager, compiled, compiled in bfloat16 and as a run takes them, each in a
// trainer of its own, in turn, so that what else the machine does falls on all of them. (Large models go one by one.)
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import type { StepBench, StepKind, TimedSteps } from '#shared/contract/bench'
import type { EngineWish } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import type { EngineUsed } from '#shared/contract/files'
import { trainerContract } from '#shared/contract/trainer'
import type { RunConfig } from '#shared/config/index'
import { median } from '#shared/median'
import { createClient } from '#shared/rpc/index'
import { writeNoisePack } from '#main/data/index'
import type { JobContext, Jobs, StartedJob } from './jobs'
import { estimateMemory } from './preflight'
import type { Quiet } from './quiet'
import type { Trainer } from './trainer-client'
import type { ChosenHost, TrainerProcess } from './trainer-host'
import { transformOf } from './transform'

export interface StepBenchOptions {
  config: RunConfig
  engine: EngineWish
  /** Steps to time of each kind. */
  steps: number
  /** After this time no further round begins; one is always taken. */
  limitMs?: number
}

export type MeasuredSteps = StepBench & { engine: EngineUsed }

/** In the order in which they take turns. */
const kinds: readonly StepKind[] = ['usual', 'eager', 'compiled', 'compiledBf16']
/** One after the other, before it is the next one's turn. */
const mostStepsPerTurn = 5
/** Untimed: kernels and memory are set up in the first ones. */
const warmUpSteps = 2
/** So many that they are not all read from one place. */
const noiseImages = 1024

interface Side {
  process: TrainerProcess
  trainer: Trainer
  /** Why it takes no steps in this way. */
  reason: string | null
  taken: TimedSteps[]
}

type Sides = Map<StepKind, Side>
type Turn = (kind: StepKind, side: Side, steps: number) => Promise<void>

interface TurnPlan {
  /** Whether round `round` is still taken, once this share of the time may have passed. */
  goesOn: (round: number, share: number) => boolean
  stepsPerTurn: number
  /** One side after the other, instead of in turn. */
  alone: boolean
}

export class Bench {
  constructor(
    private readonly jobs: Jobs,
    private readonly host: ChosenHost,
    private readonly quiet: Quiet,
  ) {}

  /** Throws `engine-unavailable` where the engine can't run here, `busy` while something else computes. */
  step(options: StepBenchOptions): StartedJob<MeasuredSteps> {
    const about = { kind: 'bench', title: 'Measuring training steps', unit: 'turns' } as const
    return this.jobs.start(about, (job) =>
      this.quiet.use(job.signal, (signal) => this.measure(options, { ...job, signal })),
    )
  }

  /** The same as a part of other work; progress is in turns, or in seconds where there is a limit. */
  async measure(
    { config, engine: wish, steps, limitMs }: StepBenchOptions,
    job: JobContext,
  ): Promise<MeasuredSteps> {
    const startedAt = performance.now()
    const elapsedMs = (): number => performance.now() - startedAt
    const folder = await mkdtemp(join(tmpdir(), 'gyre-step-bench-'))
    const sides: Sides = new Map()
    const stop = (): void => {
      for (const { process } of sides.values()) void process.kill()
    }
    job.signal.addEventListener('abort', stop, { once: true })
    try {
      const packed = await writeNoisePack(join(folder, 'pack'), noiseImages, transformOf(config))
      const stepsPerTurn = Math.min(steps, mostStepsPerTurn)
      const rounds = Math.ceil(steps / stepsPerTurn)
      const total = (1 + rounds) * kinds.length
      let done = 0
      const turn: Turn = async (kind, side, count) => {
        if (side.reason === null) {
          job.signal.throwIfAborted()
          side.taken.push(await side.trainer.bench({ config, packed, kind, steps: count }))
        }
        const progress = limitMs === undefined ? { done: ++done, total } : secondsOf(elapsedMs(), limitMs)
        job.update({ phase: 'Measuring', ...progress })
      }
      const goesOn = (round: number, share: number): boolean =>
        round === 0 || (round < rounds && elapsedMs() < share * (limitMs ?? Infinity))
      const engine = await this.#take(sides, wish, turn, { goesOn, stepsPerTurn, alone: needsAll(config) })
      return { engine, ...summary(sides) }
    } catch (error) {
      job.signal.throwIfAborted()
      throw await explain(sides, error)
    } finally {
      job.signal.removeEventListener('abort', stop)
      for (const { process } of sides.values()) await process.kill()
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** All turns of all sides, in turn or, `alone`, one side after the other. */
  async #take(
    sides: Sides,
    wish: EngineWish,
    turn: Turn,
    { goesOn, stepsPerTurn, alone }: TurnPlan,
  ): Promise<EngineUsed> {
    let engine: EngineUsed | null = null
    for (const kind of kinds) {
      const process = await this.host.start(wish)
      const { trainer } = createClient(trainerContract, process.transport)
      const side: Side = { process, trainer, reason: null, taken: [] }
      sides.set(kind, side)
      engine = await trainer.load({ engine: wish })
      await turn(kind, side, warmUpSteps).catch((error: unknown) => {
        if (!(error instanceof GyreError) || error.code !== 'unsupported') throw error
        side.reason = error.message
      })
      const share = sides.size / kinds.length
      for (let round = 0; alone && goesOn(round, share); round++) await turn(kind, side, stepsPerTurn)
      if (alone) await process.kill()
    }
    for (let round = 0; !alone && goesOn(round, 1); round++)
      for (const [kind, side] of sides) await turn(kind, side, stepsPerTurn)
    if (!engine) throw new GyreError('engine-unavailable', 'No engine was measured.')
    return engine
  }
}

/** Whether models of this size do not fit into the machine's memory beside each other. */
function needsAll(config: RunConfig): boolean {
  return 2 * (estimateMemory(config) + estimateMemory(config, 'wasm')) > totalmem() / 2
}

const secondsOf = (elapsedMs: number, limitMs: number): { done: number; total: number; unit: string } => ({
  done: Math.min(Math.round(elapsedMs / 1000), Math.round(limitMs / 1000)),
  total: Math.round(limitMs / 1000),
  unit: 's',
})

/** A lost connection means that a trainer died: its reason. */
async function explain(sides: Sides, error: unknown): Promise<unknown> {
  if (!(error instanceof GyreError) || error.code !== 'disconnected') return error
  const crashes = [...sides.values()].map(
    async ({ process }) => (await process.ended) ?? Promise.reject(error),
  )
  return Promise.any(crashes).catch(() => error)
}

function summary(sides: Sides): StepBench {
  const timed = (kind: StepKind): TimedSteps[] => sides.get(kind)?.taken.slice(1) ?? []
  const medianOf = (kind: StepKind): number => median(timed(kind).flatMap(({ stepMs }) => stepMs))
  const reasonOf = (kind: StepKind): string | null => sides.get(kind)?.reason ?? null
  const reasons = (['compiled', 'compiledBf16'] as const).flatMap((kind) => {
    const reason = reasonOf(kind)
    return reason === null ? [] : [[`${kind}Ms`, reason] as const]
  })
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
  return {
    eagerMs: medianOf('eager'),
    compiledMs: reasonOf('compiled') === null ? medianOf('compiled') : null,
    compiledBf16Ms: reasonOf('compiledBf16') === null ? medianOf('compiledBf16') : null,
    dataWaitFraction: median(timed('usual').map(({ stepMs, waitMs }) => sum(waitMs) / sum(stepMs))),
    peakRssBytes: Math.max(...timed('usual').map((taken) => taken.peakRssBytes)),
    reasons: Object.fromEntries(reasons),
  }
}
