// The codebook of a checkpoint over a set of images: computed once by the trainer into the run's `inspection` folder,
// then read from there. What the window asks while scrolling (tiles, neighbours, patches) is answered from caches.
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { totalCodes } from '#shared/config/index'
import type { CheckpointRef } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { manifestFile, type DatasetFile } from '#shared/contract/files'
import type { CodebookSummary, NearestSample } from '#shared/contract/inspector'
import { cropPatch, joinInside, resolveInside } from '#main/data/index'
import { findCheckpoint, listCheckpoints } from '#main/train/checkpoint'
import { folderName } from '#main/train/checkpoint-names'
import { nearestOf, readInspection, type Inspection } from '#main/train/inspection'
import { CodeTiles } from './code-tiles'
import { damageNotice } from './damage'
import type { Datasets } from './datasets'
import type { Jobs, StartedJob } from './jobs'
import type { Operations } from './operations'
import { startPool } from './pool'
import type { RunStore } from './run-store'
import { transformOf } from './transform'

/** As many as the contract lets anybody ask for, so that one computation serves every question. */
const nearestPerCode = 64
const openInspections = 4
const rememberedTargets = 16
const readsAtOnce = 8

export interface InspectTarget {
  runId: string
  checkpoint: CheckpointRef
  /** Another dataset than the run's training images. */
  datasetId?: string
}

/** A target with everything that decides its result. */
interface Resolved {
  runId: string
  runFolder: string
  step: number
  modelSha256: string
  dataset: DatasetFile
  split: 'train' | 'all'
  key: string
  folder: string
}

export interface InspectorParts {
  store: RunStore
  datasets: Datasets
  jobs: Jobs
  operations: Operations
}

export class Inspector {
  readonly #running = new Map<string, StartedJob<void>>()
  /** What was opened lately by its step: the result stays readable when training replaces the checkpoint. */
  readonly #opened = new Map<string, Resolved>()
  readonly #read = new Map<string, Promise<Inspection>>()
  readonly #tiles: CodeTiles

  constructor(private readonly parts: InspectorParts) {
    this.#tiles = new CodeTiles(parts)
  }

  /** Starts the computation where it is not cached, and names the step that the checkpoint stands for. */
  async open(target: InspectTarget): Promise<{ job: StartedJob<void> | null; step: number }> {
    const resolved = await this.#resolve(target)
    const { step } = resolved
    this.#opened.set(openedKey({ ...target, checkpoint: step }), resolved)
    for (const old of [...this.#opened.keys()].slice(0, -rememberedTargets)) this.#opened.delete(old)
    return { job: await this.#compute(resolved, target.checkpoint), step }
  }

  /**
   * Looks at this target, or finds that it was looked at, and returns the step to ask on with. Where training replaces
   * the best or last checkpoint before it was read, the one that took its place. `follow` settles with a job.
   */
  async measure(target: InspectTarget, follow: (job: StartedJob<void>) => Promise<void>): Promise<number> {
    let { job, step } = await this.open(target)
    for (;;) {
      try {
        if (job) await follow(job)
        return step
      } catch (error) {
        if (!(error instanceof GyreError) || error.code !== 'not-found') throw error
        const before = step
        ;({ job, step } = await this.open(target))
        if (step === before) throw error
      }
    }
  }

  async #compute(resolved: Resolved, ref: CheckpointRef): Promise<StartedJob<void> | null> {
    if (await this.#isWhole(resolved)) return null
    const notice = await damageNotice(resolved.runFolder, ref)
    const running = this.#running.get(resolved.folder)
    if (running) return running
    const { jobs } = this.parts
    const title = notice === null ? 'Codebook' : `Codebook. ${notice}`
    const about = { kind: 'inspect', title, unit: 'images' } as const
    const job = jobs.start({ ...about, runId: resolved.runId, datasetId: resolved.dataset.id }, (context) =>
      this.parts.operations.prepared(
        { runId: resolved.runId, checkpoint: resolved.step, datasetId: resolved.dataset.id },
        context,
        async ({ trainer, runFolder, packed, signal }) => {
          const { step: checkpoint, split, folder: out } = resolved
          await trainer.inspect(
            { runFolder, checkpoint, packed, split, nearest: nearestPerCode, out },
            { signal },
          )
        },
      ),
    )
    this.#running.set(resolved.folder, job)
    const forget = (): boolean => this.#running.delete(resolved.folder)
    job.finished.then(forget, forget)
    return job
  }

  /** Whether the result is there to be read. One that is damaged, or of another version of Gyre, is made anew. */
  async #isWhole(resolved: Resolved): Promise<boolean> {
    try {
      await this.#inspection(resolved)
      return true
    } catch (error) {
      if (error instanceof GyreError && (error.code === 'corrupt' || error.code === 'not-found')) return false
      throw error
    }
  }

  /** null until the computation is done. */
  async summary(target: InspectTarget): Promise<CodebookSummary | null> {
    const resolved = await this.#resolve(target)
    if (!(await isThere(resolved.folder))) return null
    const { summary, counts, deadFlags, norms, meanDistance } = await this.#inspection(resolved)
    const { step, images, vectors, tokens, codebookSize, used, usage, perplexity, dead, deadWindow } = summary
    const figures = { step, images, vectors, tokens, codebookSize, used, usage, perplexity, dead, deadWindow }
    return { runId: resolved.runId, ...figures, counts, deadFlags, norms, meanDistance }
  }

  async nearest(target: InspectTarget, code: number, count: number): Promise<NearestSample[]> {
    const resolved = await this.#resolve(target)
    const found = nearestOf(await this.#inspection(resolved), code, count)
    return startPool(found, readsAtOnce, async (sample) => ({
      ...sample,
      file: (await this.parts.datasets.item(resolved.dataset.id, sample.item)).file,
    }))
  }

  /** The `count` nearest samples of every code at once, for the command line. Call after `start` is done. */
  async allNearest(target: InspectTarget, count: number): Promise<NearestSample[][]> {
    const resolved = await this.#resolve(target)
    const inspection = await this.#inspection(resolved)
    const files = count > 0 ? await this.parts.datasets.files(resolved.dataset.id) : []
    return Array.from({ length: inspection.summary.codebookSize }, (_, code) =>
      nearestOf(inspection, code, count).map((sample) => ({ ...sample, file: files[sample.item] ?? '' })),
    )
  }

  /** What codes decode to when the whole grid holds them: RGB, in the order asked. */
  async decodedTiles(
    target: InspectTarget,
    indices: readonly number[],
  ): Promise<{ size: number; pixels: Uint8Array }> {
    const { runFolder, runId, step, modelSha256 } = await this.#resolve(target)
    const codes = totalCodes((await this.parts.store.read(runId)).config)
    const outside = indices.find((index) => index >= codes)
    if (outside !== undefined)
      throw new GyreError('invalid-input', `There is no code ${outside}: the codebook has ${codes}.`)
    const name = `tiles-${folderName(step)}-${modelSha256.slice(0, 16)}.safetensors`
    const path = join(runFolder, 'inspection', name)
    return this.#tiles.get({ runId, runFolder, step, codes, path }, indices)
  }

  /** PNG of the image patch behind a token, with its surroundings. */
  async patch(
    target: InspectTarget,
    { item, row, column, margin }: { item: number; row: number; column: number; margin: number },
  ): Promise<Uint8Array> {
    const { datasets, store } = this.parts
    const resolved = await this.#resolve(target)
    const { summary } = await this.#inspection(resolved)
    const { file } = await datasets.item(resolved.dataset.id, item)
    const path = joinInside(await datasets.sourceFolder(resolved.dataset), file)
    const { config } = await store.read(resolved.runId)
    return cropPatch({ path, transform: transformOf(config), row, column, tokens: summary.tokens, margin })
  }

  async #resolve(target: InspectTarget): Promise<Resolved> {
    const { store, datasets, operations } = this.parts
    const run = await store.read(target.runId)
    const runFolder = store.folderOf(target.runId)
    await resolveInside(runFolder, 'checkpoints')
    await resolveInside(runFolder, 'inspection')
    const all = await listCheckpoints(runFolder)
    const { checkpoint: ref } = target
    const found = all.find(({ step, best, last }) =>
      ref === 'best' ? best : ref === 'last' ? last : step === ref,
    )
    if (!found) {
      const opened = this.#opened.get(openedKey(target))
      if (opened && (await isThere(opened.folder))) return opened
      // Says what is the matter: nothing there yet, no such step, or damage.
      await findCheckpoint(runFolder, ref)
      throw new GyreError('not-found', 'This checkpoint was replaced just now.', 'Try again.')
    }
    const datasetId = await operations.datasetFor(run, target.datasetId)
    const dataset = await datasets.get(datasetId)
    const split = target.datasetId === undefined ? 'train' : 'all'
    const modelSha256 = await modelDigest(runFolder, found.step)
    const parts = [
      modelSha256,
      dataset.fingerprint,
      split,
      run.config.validationFraction,
      transformOf(run.config),
    ]
    const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
    const folder = join(runFolder, 'inspection', `${folderName(found.step)}-${key}`)
    return { runId: target.runId, runFolder, step: found.step, modelSha256, dataset, split, key, folder }
  }

  /** Reads a result once; the latest few stay in memory. */
  async #inspection({ folder }: Resolved): Promise<Inspection> {
    if (!(await isThere(folder)))
      throw new GyreError(
        'not-found',
        'The codebook has not been looked at yet.',
        'Open it in Inspect first.',
      )
    const known = this.#read.get(folder)
    if (known) return known
    const reading = readInspection(folder)
    this.#read.set(folder, reading)
    reading.catch(() => this.#read.delete(folder))
    for (const old of [...this.#read.keys()].slice(0, -openInspections)) this.#read.delete(old)
    return reading
  }
}

function openedKey({ runId, checkpoint, datasetId = '' }: InspectTarget): string {
  return [runId, checkpoint, datasetId].join(' ')
}

async function isThere(folder: string): Promise<boolean> {
  return (await stat(join(folder, 'inspection.json')).catch(() => null)) !== null
}

async function modelDigest(runFolder: string, step: number): Promise<string> {
  const path = await resolveInside(runFolder, `checkpoints/${folderName(step)}/MANIFEST.json`)
  const manifest = manifestFile.parse(JSON.parse(await readFile(path, 'utf8')))
  return manifest.files['model.safetensors']?.sha256 ?? ''
}
