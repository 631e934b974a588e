// Datasets of the library: importing a folder in place, the sample that comes with the app, what an upload left,
// and looking at images. Imports are jobs; one process at a time works on one dataset. Sources are only read.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, realpath, rename, rm, rmdir, stat } from 'node:fs/promises'
import { basename, isAbsolute, join, resolve } from 'node:path'
import { defaultConfig, type RunConfig } from '#shared/config/index'
import { identifier, type Transform } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import type { DatasetFile, DatasetItem, SkippedFile } from '#shared/contract/files'
import {
  atomicWriteJson,
  importDataset,
  joinInside,
  packDataset,
  readDataset,
  readItems,
  readSkipped,
  resolveInside,
  sampleFolder,
  skippedFileName,
  type Decoders,
} from '#main/data/index'
import type { Bus } from './bus'
import type { JobContext, Jobs, StartedJob } from './jobs'
import type { Layout } from './layout'
import { isLocked, tryLock, waitForLock, type FolderLock } from './locks'
import { transformOf } from './transform'

const sampleId = 'sample'

interface ImportPlan {
  id: string
  name: string
  kind: DatasetFile['kind']
  source: string
  licence?: string
  prepare: Transform
}

/** A readable id from a name: `my-photos-3fa2c1`. The same `source` always leads to the same id. */
export function newDatasetId(name: string, source?: string): string {
  const slug = name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40)
  const suffix = source === undefined ? randomBytes(5) : createHash('sha256').update(source).digest()
  return `${slug || 'images'}-${suffix.toString('hex').slice(0, 10)}`
}

export class Datasets {
  readonly #layout: Layout
  readonly #bus: Bus
  readonly #jobs: Jobs
  readonly #decoders: Decoders
  /** Datasets that work of this process reads now, with the marker that tells other processes so. */
  readonly #uses = new Map<string, { count: number; lock: Promise<FolderLock | null> }>()

  constructor(layout: Layout, bus: Bus, jobs: Jobs, decoders: Decoders) {
    this.#layout = layout
    this.#bus = bus
    this.#jobs = jobs
    this.#decoders = decoders
  }

  folderOf(id: string): string {
    return this.#layout.dataset(id)
  }

  async list(): Promise<DatasetFile[]> {
    const names = await readdir(this.#layout.datasets).catch(() => [])
    const ids = names.filter((name) => identifier.safeParse(name).success)
    const found = await Promise.all(ids.map((id) => this.get(id).catch(() => null)))
    return found
      .filter((dataset) => dataset !== null)
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || a.id.localeCompare(b.id))
  }

  async get(id: string): Promise<DatasetFile> {
    const folder = this.folderOf(id)
    if (!(await stat(join(folder, 'dataset.json')).catch(() => null)))
      throw new GyreError('not-found', `There is no dataset “${id}” in the library.`)
    return readDataset(folder)
  }

  /**
   * Imports a folder in place; the same folder again is scanned again under its old id. Its images are prepared for
   * runs with `config` on the way.
   */
  async importFolder(
    path: string,
    { name, config = defaultConfig }: { name?: string | undefined; config?: RunConfig } = {},
  ): Promise<StartedJob<DatasetFile>> {
    const source = await realpath(resolve(path)).catch((cause: unknown) => {
      throw new GyreError('not-found', `There is no folder “${path}”.`, undefined, { cause })
    })
    if (!(await stat(source)).isDirectory())
      throw new GyreError('invalid-input', `“${path}” is not a folder.`, 'Choose a folder that holds images.')
    const known = (await this.list()).find(
      (dataset) => dataset.kind === 'folder' && dataset.source === source,
    )
    const title = name ?? known?.name ?? (basename(source) || source)
    return this.#import({
      id: known?.id ?? newDatasetId(basename(source), source),
      name: title,
      kind: 'folder',
      source,
      prepare: transformOf(config),
    })
  }

  /** The bundled images. They never change with the app's version, so a finished import is not repeated. */
  importSample(config = defaultConfig): StartedJob<DatasetFile> {
    return this.#jobs.start(
      { kind: 'import', title: 'Emoji (sample)', unit: 'images', datasetId: sampleId },
      async (job) => {
        const { folder, licence } = sampleFolder()
        const known = await this.get(sampleId).catch(() => null)
        if (known?.source === folder) return known
        const plan: ImportPlan = {
          id: sampleId,
          name: 'Emoji (sample)',
          kind: 'sample',
          source: folder,
          licence,
          prepare: transformOf(config),
        }
        return this.#run(plan, job)
      },
    )
  }

  /** Makes a dataset of files that were uploaded into `folder`, which becomes part of the dataset. */
  importUpload(folder: string, name: string): StartedJob<DatasetFile> {
    const id = newDatasetId(name)
    return this.#jobs.start({ kind: 'import', title: name, unit: 'images', datasetId: id }, async (job) => {
      const target = this.folderOf(id)
      await mkdir(target, { recursive: true })
      await rename(folder, join(target, 'files'))
      try {
        return await this.#run(
          { id, name, kind: 'copy', source: 'files', prepare: transformOf(defaultConfig) },
          job,
        )
      } catch (error) {
        await rm(target, { recursive: true, force: true })
        throw error
      }
    })
  }

  async rename(id: string, name: string): Promise<DatasetFile> {
    const lock = await this.#lock(id)
    try {
      const next = { ...(await this.get(id)), name }
      await atomicWriteJson(join(this.folderOf(id), 'dataset.json'), next)
      this.#bus.emit('datasets', 'onChange', { id, dataset: next })
      return next
    } finally {
      await lock.release()
    }
  }

  async remove(id: string): Promise<void> {
    await this.get(id)
    if (this.#uses.has(id) || (await this.#usedElsewhere(id)))
      throw new GyreError('busy', 'A run is using these images.', 'Stop the run first.')
    const lock = await this.#lock(id)
    try {
      // First out of sight under a name no reader looks for, so that a crash leaves no half dataset in the list.
      const aside = join(this.#layout.datasets, `.removed-${id}-${randomBytes(4).toString('hex')}`)
      await rename(this.folderOf(id), aside)
      await rm(aside, { recursive: true, force: true })
    } finally {
      await lock.release()
    }
    this.#bus.emit('datasets', 'onChange', { id, dataset: null })
  }

  /** Keeps `id` from being removed while `work` runs, in this and other processes. */
  async using<T>(id: string, work: () => Promise<T>): Promise<T> {
    await this.get(id)
    const marker = join(this.folderOf(id), `.in-use-${process.pid}`)
    const use = this.#uses.get(id) ?? { count: 0, lock: tryLock(marker) }
    this.#uses.set(id, use)
    use.count += 1
    try {
      await use.lock
      return await work()
    } finally {
      use.count -= 1
      if (use.count === 0) {
        this.#uses.delete(id)
        await (await use.lock)?.release()
        await rmdir(marker).catch(() => undefined)
      }
    }
  }

  /** The packed images under a transform, made when they are not cached. */
  async pack(id: string, transform: Transform, job: JobContext): Promise<string> {
    const datasetFolder = this.folderOf(id)
    const lock = await waitForLock(datasetFolder, {
      signal: job.signal,
      onWait: () => job.update({ phase: 'Waiting for another Gyre to prepare these images' }),
    })
    try {
      job.update({ phase: 'Preparing images', unit: 'images' })
      return await packDataset({
        datasetFolder,
        transform,
        decoders: this.#decoders,
        signal: job.signal,
        onNotice: (words) => job.update({ phase: words }),
        onProgress: (progress) => job.update({ done: progress.done, total: progress.total }),
      })
    } finally {
      await lock.release()
    }
  }

  /** Absolute folder of the source images. */
  async sourceFolder(dataset: DatasetFile): Promise<string> {
    return isAbsolute(dataset.source)
      ? dataset.source
      : resolveInside(this.folderOf(dataset.id), dataset.source)
  }

  async item(id: string, index: number): Promise<DatasetItem> {
    const { items } = await readItems(this.folderOf(id), index, 1)
    const item = items[0]
    if (!item) throw new GyreError('not-found', `The dataset has no image ${index}.`)
    return item
  }

  /** Every file's name, in the order of the items. */
  async files(id: string): Promise<string[]> {
    const names: string[] = []
    for (;;) {
      const { total, items } = await readItems(this.folderOf(id), names.length, 1000)
      for (const { file } of items) names.push(file)
      if (names.length >= total || items.length === 0) return names
    }
  }

  /** The first `count` files that were not used, and the file that names all of them. */
  async skipped(id: string, count: number): Promise<{ first: SkippedFile[]; listFile: string }> {
    const folder = this.folderOf(id)
    return { first: (await readSkipped(folder, 0, count)).items, listFile: join(folder, skippedFileName) }
  }

  /** Absolute path of an image. */
  async pathOf(id: string, index: number): Promise<string> {
    const [dataset, item] = [await this.get(id), await this.item(id, index)]
    return joinInside(await this.sourceFolder(dataset), item.file)
  }

  #import(plan: ImportPlan): StartedJob<DatasetFile> {
    const { id, name } = plan
    return this.#jobs.start({ kind: 'import', title: name, unit: 'images', datasetId: id }, (job) =>
      this.#run(plan, job),
    )
  }

  async #run(plan: ImportPlan, job: JobContext): Promise<DatasetFile> {
    const datasetFolder = this.folderOf(plan.id)
    await mkdir(datasetFolder, { recursive: true })
    const lock = await waitForLock(datasetFolder, {
      signal: job.signal,
      onWait: () => job.update({ phase: 'Waiting for another Gyre that imports the same folder' }),
    })
    try {
      job.update({ phase: 'Reading images' })
      const dataset = await importDataset({
        datasetFolder,
        ...plan,
        decoders: this.#decoders,
        signal: job.signal,
        onNotice: (words) => job.update({ phase: words }),
        onProgress: (progress) => job.update({ done: progress.done, total: progress.total }),
      })
      this.#bus.emit('datasets', 'onChange', { id: plan.id, dataset })
      return dataset
    } finally {
      await lock.release()
    }
  }

  async #lock(id: string) {
    const lock = await tryLock(this.folderOf(id))
    if (!lock) throw new GyreError('busy', 'These images are being imported or prepared right now.')
    return lock
  }

  async #usedElsewhere(id: string): Promise<boolean> {
    const names = await readdir(this.folderOf(id)).catch(() => [])
    const markers = names.filter((name) => name.startsWith('.in-use-'))
    for (const marker of markers) if (await isLocked(join(this.folderOf(id), marker))) return true
    return false
  }
}
