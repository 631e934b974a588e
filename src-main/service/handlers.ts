// The contract's calls, each a line or two over the part that does it. Inputs were parsed by their schemas already.
import { relative } from 'node:path'
import type { GyreHandlers } from '#shared/contract/index'
import { preview, readItems, readSkipped, resolveInside, thumbnail } from '#main/data/index'
import type { Datasets } from './datasets'
import type { Engines } from './engines'
import type { Exports } from './exports'
import { hostInfo, type HostAdapter } from './host'
import type { Inspector } from './inspector'
import type { Jobs } from './jobs'
import type { Layout } from './layout'
import type { StepTimes } from './measured'
import { preflightOf } from './preflight'
import type { Runs } from './runs'
import type { RunStore } from './run-store'
import type { SettingsStore } from './settings'
import { startPool } from './pool'
import type { Training } from './training'
import type { Uploads } from './uploads'

export interface HandlerParts {
  layout: Layout
  host: HostAdapter
  version: string
  jobs: Jobs
  store: RunStore
  datasets: Datasets
  uploads: Uploads
  settings: SettingsStore
  times: StepTimes
  engines: Engines
  training: Training
  runs: Runs
  inspector: Inspector
  exports: Exports
}

/** Images decoded at a time for one call; more would only queue behind the image library's own threads. */
const picturesAtOnce = 4

export function handlersOf(parts: HandlerParts): GyreHandlers {
  const { layout, host, version, jobs, store, datasets, uploads, settings, times, engines, runs } = parts
  const { inspector, exports } = parts
  return {
    datasets: {
      list: () => datasets.list(),
      get: ({ id }) => datasets.get(id),
      importFolder: async ({ path, name }) => ({ jobId: (await datasets.importFolder(path, { name })).id }),
      importSample: () => ({ jobId: datasets.importSample().id }),
      uploadBegin: async ({ name }) => ({ uploadId: await uploads.begin(name) }),
      uploadChunk: ({ uploadId, path, offset, data }) => uploads.chunk(uploadId, path, offset, data),
      uploadFinish: async ({ uploadId }) => {
        const { folder, name } = await uploads.finish(uploadId)
        return { jobId: datasets.importUpload(folder, name).id }
      },
      uploadCancel: ({ uploadId }) => uploads.cancel(uploadId),
      rename: ({ id, name }) => datasets.rename(id, name),
      remove: ({ id }) => datasets.remove(id),
      items: ({ id, offset, limit }) => readItems(datasets.folderOf(id), offset, limit),
      skipped: ({ id, offset, limit }) => readSkipped(datasets.folderOf(id), offset, limit),
      thumbnails: ({ id, indices, size }, { signal }) =>
        startPool(indices, picturesAtOnce, async (index) => {
          signal.throwIfAborted()
          return thumbnail(await datasets.pathOf(id, index), size).catch(() => null)
        }),
      preview: async ({ id, index, transform }) => preview(await datasets.pathOf(id, index), transform),
    },
    runs: {
      list: () => store.list(),
      get: ({ id }) => store.read(id),
      create: (input) => runs.create(input),
      update: ({ id, ...change }) => runs.update(id, change),
      remove: ({ id }) => runs.remove(id),
      metrics: ({ id, ...range }) => runs.metrics(id, range),
      sampleSteps: ({ id }) => runs.sampleSteps(id),
      samples: ({ id, step }) => runs.samples(id, step),
      checkpoints: ({ id }) => runs.checkpoints(id),
      log: ({ id }) => runs.log(id),
      pause: ({ id }) => runs.pause(id),
      resume: ({ id, steps }) => runs.resume(id, steps),
      stop: ({ id }) => runs.stop(id),
    },
    design: {
      preflight: async ({ datasetId, config, engine }) => {
        const dataset = await datasets.get(datasetId)
        const engineId = await engines.choose(engine).then(
          ({ id }) => id,
          () => engine,
        )
        return preflightOf({ config, dataset, engineId }, times)
      },
    },
    inspector: {
      open: async (target) => {
        const { job, step } = await inspector.open(target)
        return { jobId: job?.id ?? null, step }
      },
      summary: (target) => inspector.summary(target),
      decodedTiles: ({ indices, ...target }) => inspector.decodedTiles(target, indices),
      nearest: ({ code, count, ...target }) => inspector.nearest(target, code, count),
      patch: ({ item, row, column, margin, ...target }) =>
        inspector.patch(target, { item, row, column, margin }),
    },
    exports: {
      safetensors: ({ runId, checkpoint, folder }) => exports.safetensors(runId, checkpoint, folder),
      read: ({ exportId, name, offset }) => exports.read(exportId, name, offset),
      metricsCsv: ({ runId }) => exports.metricsCsv(runId),
    },
    engines: {
      list: () => engines.list(),
      chosen: ({ wish }) => engines.chosen(wish),
      install: ({ id }) => ({ jobId: engines.install(id).id }),
      storage: () => engines.storage(),
      remove: ({ id }) => engines.remove(id),
      removeOlder: ({ name }) => engines.removeOlder(name),
      test: ({ id }, { signal }) => engines.test(id, signal),
      benchmark: ({ id }) => ({ jobId: engines.benchmark(id).id }),
      benchmarks: () => engines.benchmarks(),
    },
    jobs: {
      list: () => jobs.list(),
      cancel: ({ id }) => jobs.cancel(id),
    },
    settings: {
      get: () => settings.get(),
      set: (change) => settings.set(change),
    },
    host: {
      info: () => hostInfo(host, layout.root, version),
      pickFolder: async () => {
        const path = await host.pickFolder()
        return path === null ? null : { path }
      },
      reveal: async ({ path }) => {
        // Only what is Gyre's own: a page must not be able to open any path of the machine.
        const inside = await resolveInside(layout.root, relative(layout.root, path) || '.')
        await host.reveal(inside)
      },
    },
  }
}
