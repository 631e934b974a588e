// Runs: making them, going on with them, their files. Changing a run needs owning it; reading needs nothing.
import { open, readdir } from 'node:fs/promises'
import { engineWish as engineWishShape, type CheckpointRef, type EngineWish } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { schemaVersion, type DatasetFile, type MetricsRecord, type RunFile } from '#shared/contract/files'
import { parseConfig, type ConfigInput, type RunConfig } from '#shared/config/index'
import { resolveInside } from '#main/data/index'
import { bfloat16Refusal } from '#main/engine/index'
import { describeNetwork } from '#main/model/describe'
import { listCheckpoints, resolveCheckpoint, type ListedCheckpoint } from '#main/train/checkpoint'
import { readMetrics } from '#main/train/metrics-log'
import { damageNotice } from './damage'
import type { Datasets } from './datasets'
import type { Engines } from './engines'
import { refuseAmongImages } from './outputs'
import type { OwnedRun } from './owned-run'
import { setLaterAside, type SetAside } from './rewind'
import { newRunId, type RunStore } from './run-store'
import type { StartFrom, Training } from './training'

const shownLogBytes = 256 * 1024
const maxSampleBytes = 16 * 1024 * 1024
const maxSampleImages = 64

export interface NewRun {
  datasetId: string
  config: ConfigInput
  engine?: EngineWish
  name?: string
  /** Start from the best weights of this run. */
  fromRun?: string
  /** Folder of the run; in the library by default. */
  folder?: string
}

/** Where a run goes on from, when that is not its last checkpoint. */
export interface GoBack {
  checkpoint: CheckpointRef
  /** Told what was put aside for it. */
  onSetAside: (aside: SetAside) => void
}

function snapshot(dataset: DatasetFile): RunFile['dataset'] {
  const { id, name, fingerprint, source, imageCount } = dataset
  return { id, name, fingerprint, source, imageCount }
}

export class Runs {
  constructor(
    private readonly store: RunStore,
    private readonly datasets: Datasets,
    private readonly training: Training,
    private readonly engines: Pick<Engines, 'choose'>,
  ) {}

  /** Makes a run and puts it in the line. @throws GyreError `invalid-input` for a configuration that can't run */
  async create(input: NewRun): Promise<RunFile> {
    const config = parseConfig(input.config)
    const dataset = await this.datasets.get(input.datasetId)
    if (dataset.imageCount === 0)
      throw new GyreError('invalid-input', `“${dataset.name}” has no usable image.`)
    if (input.folder !== undefined) await refuseAmongImages(input.folder, dataset)
    const engineWish = engineWishShape.parse(input.engine ?? 'auto')
    await this.#checkPrecision(config, engineWish)
    const from = input.fromRun === undefined ? null : await this.#startFrom(input.fromRun, 'best')
    if (from) await this.#checkSameModel(from.id, config)
    const now = new Date().toISOString()
    const file: RunFile = {
      schemaVersion,
      id: newRunId(),
      name: input.name?.trim() || `${dataset.name}, ${config.estimator}`,
      notes: '',
      createdAt: now,
      updatedAt: now,
      config,
      engineWish,
      engine: null,
      dataset: snapshot(dataset),
      status: 'created',
      step: 0,
      trainedMs: 0,
      parameters: describeNetwork(config).parameters,
      startedFrom: from && { run: from.name, step: from.step },
      last: null,
      best: null,
      error: null,
    }
    const run = await this.store.create(file, input.folder)
    void this.training.enqueue(run, from?.start)
    return run.file
  }

  /** A run that would end before its first step is not begun. Where no engine is found, the run itself says so. */
  async #checkPrecision({ precision }: RunConfig, wish: EngineWish): Promise<void> {
    if (precision !== 'bfloat16') return
    const chosen = await this.engines.choose(wish).catch(() => null)
    const refusal = chosen && bfloat16Refusal(chosen.id)
    if (refusal)
      throw new GyreError(
        'unsupported',
        refusal,
        'Set the precision to 32-bit float, or choose another engine.',
      )
  }

  /** Goes on with a run: after a pause, a stop, an interruption, or past its end with more `steps`. */
  async resume(id: string, steps?: number, back?: GoBack): Promise<void> {
    if (this.training.has(id)) {
      const { status } = await this.store.read(id)
      if (back) throw new GyreError('busy', 'This run is training.', 'Stop it before going back.')
      if (steps !== undefined && status !== 'paused')
        throw new GyreError('busy', 'This run is training.', 'Stop it before changing its steps.')
      if (status === 'paused') return this.training.unpause(id)
      throw new GyreError('busy', 'This run is training already.')
    }
    const run = await this.store.own(id)
    try {
      const from = await this.#prepareResume(run, steps, back)
      void this.training.enqueue(run, from)
    } catch (error) {
      await run.release()
      throw error
    }
  }

  async pause(id: string): Promise<void> {
    await this.training.pause(id)
  }

  async stop(id: string): Promise<void> {
    await this.training.stop(id)
  }

  /** Renames a run or changes its notes; also while this process trains it. */
  async update(id: string, change: { name?: string; notes?: string }): Promise<RunFile> {
    const mine = this.store.owned(id)
    const run = mine ?? (await this.store.own(id))
    try {
      const { name = run.file.name, notes = run.file.notes } = change
      run.update({ name, notes })
      await run.flush()
      return run.file
    } finally {
      if (!mine) await run.release()
    }
  }

  async remove(id: string): Promise<void> {
    if (await this.store.isBusy(id))
      throw new GyreError('busy', 'This run is being trained.', 'Stop it before you delete it.')
    await this.store.trash(id)
  }

  async metrics(id: string, range: { afterStep: number; maxPoints: number }): Promise<MetricsRecord[]> {
    return readMetrics(await this.#folder(id, 'metrics.jsonl'), range)
  }

  async checkpoints(id: string): Promise<ListedCheckpoint[]> {
    return listCheckpoints(await this.#folder(id, 'checkpoints'))
  }

  /** A sentence when `ref` passes over damaged checkpoints; null otherwise. @throws GyreError when none is left */
  async damageNotice(id: string, ref: CheckpointRef): Promise<string | null> {
    return damageNotice(await this.#folder(id, 'checkpoints'), ref)
  }

  /** Steps with stored reconstructions, and how many images each has. */
  async sampleSteps(id: string): Promise<{ steps: number[]; count: number }> {
    const names = await this.#sampleNames(id)
    const steps = new Set<number>()
    for (const name of names) {
      const step = /^step-(\d{7,15})-\d+\.png$/.exec(name)?.[1]
      if (step !== undefined) steps.add(Number(step))
    }
    const count = names.filter((name) => /^original-\d+\.png$/.test(name)).length
    return { steps: [...steps].sort((a, b) => a - b), count }
  }

  /** PNGs of the fixed validation images (`step` null) or of what a step made of them. */
  async samples(id: string, step: number | null): Promise<Uint8Array[]> {
    const prefix = step === null ? 'original-' : `step-${String(step).padStart(7, '0')}-`
    const indexOf = (name: string): number => Number(name.slice(prefix.length, -'.png'.length))
    const names = (await this.#sampleNames(id))
      .filter((name) => name.startsWith(prefix) && /^\d{1,4}$/.test(name.slice(prefix.length, -4)))
      .sort((a, b) => indexOf(a) - indexOf(b))
      .slice(0, maxSampleImages)
    const folder = this.store.folderOf(id)
    return Promise.all(names.map(async (name) => readSmall(await resolveInside(folder, `samples/${name}`))))
  }

  /** The end of log.txt. */
  async log(id: string): Promise<string> {
    await this.store.read(id)
    const path = await resolveInside(this.store.folderOf(id), 'log.txt')
    const handle = await open(path, 'r').catch(() => null)
    if (!handle) return ''
    try {
      const { size } = await handle.stat()
      const start = Math.max(0, size - shownLogBytes)
      const buffer = Buffer.alloc(size - start)
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, start)
      return buffer.toString('utf8', 0, bytesRead)
    } finally {
      await handle.close()
    }
  }

  /**
   * The dataset a run was trained on: by its id, or any with the same files. @throws GyreError saying what to pass
   * instead, where this library has neither
   */
  async datasetOf(run: RunFile): Promise<DatasetFile> {
    const { id, name, imageCount, source, fingerprint } = run.dataset
    const all = await this.datasets.list()
    const found = all.find((one) => one.fingerprint === fingerprint) ?? all.find((one) => one.id === id)
    if (found) return found
    throw new GyreError(
      'not-found',
      `The images of this run (“${name}”, ${imageCount} images) are not in this library.`,
      `They were read from ${source}. Import that folder, or pass it with --data.`,
    )
  }

  async #prepareResume(
    run: OwnedRun,
    steps: number | undefined,
    back: GoBack | undefined,
  ): Promise<StartFrom | undefined> {
    const { config, status, dataset, startedFrom } = run.file
    const earlier = back
      ? await resolveCheckpoint(await this.#folder(run.id, 'checkpoints'), back.checkpoint)
      : null
    const step = earlier?.step ?? run.file.step
    const target = steps ?? config.steps
    if (step >= target && status === 'finished')
      throw new GyreError(
        'invalid-input',
        `This run has finished its ${config.steps} steps.`,
        `Give it more: ask for more than ${step} steps.`,
      )
    if (target < step)
      throw new GyreError(
        'invalid-input',
        `This run is at step ${step} already.`,
        `Ask for more than ${step}.`,
      )
    const known = await this.datasetOf(run.file)
    if (known.fingerprint !== dataset.fingerprint)
      throw new GyreError(
        'invalid-input',
        `The images of this run have changed since it began (${dataset.imageCount} then, ${known.imageCount} now).`,
        'Going on with other images would not be the same run. Start a new run from its weights instead.',
      )
    run.update({ config: parseConfig({ ...config, steps: target }), dataset: snapshot(known) })
    const aside = earlier && (await setLaterAside(run.folder, step))
    if (earlier && aside) {
      const { trainedMs, last, best } = earlier.state
      run.update({ step, trainedMs, last, best })
      await run.log(`Went back to step ${step}; what came later is in ${aside.folder}.`)
      back?.onSetAside(aside)
    }
    await run.flush()
    const hasCheckpoint = (await listCheckpoints(run.folder)).length > 0
    if (hasCheckpoint || startedFrom === null) return undefined
    return (await this.#startFrom(await this.store.find(startedFrom.run), startedFrom.step)).start
  }

  async #startFrom(id: string, ref: CheckpointRef) {
    await this.store.read(id)
    const runFolder = await this.#folder(id, 'checkpoints')
    const { step } = await resolveCheckpoint(runFolder, ref)
    const start: StartFrom = { runFolder, checkpoint: step }
    return { id, name: this.store.isInLibrary(id) ? id : runFolder, step, start }
  }

  async #checkSameModel(fromId: string, config: RunConfig): Promise<void> {
    const other = (await this.store.read(fromId)).config
    const shape = ['network', 'channels', 'channelMultipliers', 'residualBlocks', 'attention'] as const
    const size = ['channelsIn', 'codebookSize', 'codeDim', 'distance'] as const
    for (const key of [...shape, ...size])
      if (JSON.stringify(other[key]) !== JSON.stringify(config[key]))
        throw new GyreError(
          'invalid-input',
          `The run to start from has another model: its ${key} is ${String(other[key])}, not ${String(config[key])}.`,
          `Set ${key} as it is there, or start without its weights.`,
        )
  }

  /** The run's folder, after checking that `inside` is no link to elsewhere. */
  async #folder(id: string, inside: string): Promise<string> {
    await this.store.read(id)
    const folder = this.store.folderOf(id)
    await resolveInside(folder, inside)
    return folder
  }

  async #sampleNames(id: string): Promise<string[]> {
    await this.store.read(id)
    return readdir(await resolveInside(this.store.folderOf(id), 'samples')).catch(() => [])
  }
}

async function readSmall(path: string): Promise<Uint8Array> {
  const handle = await open(path, 'r')
  try {
    const info = await handle.stat()
    if (!info.isFile() || info.size > maxSampleBytes)
      throw new GyreError('corrupt', 'A stored sample image is not an image.')
    return new Uint8Array(await handle.readFile())
  } finally {
    await handle.close()
  }
}
