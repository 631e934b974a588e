// The service: everything the contract promises, for one library, in one process. Knows neither Electron nor a
// transport; hosts (shell, serve, command line) attach what they need. Several services may share a library.
import { isAbsolute } from 'node:path'
import type { TrainerIsolation } from '#shared/contract/app'
import { GyreError } from '#shared/contract/errors'
import type { GyreHandlers } from '#shared/contract/index'
import { createDecoderPool, inThisThread } from '#main/data/index'
import type { EngineOptions } from '#main/engine/index'
import { Bench } from './bench'
import { Benchmarks } from './benchmarks'
import { Bus } from './bus'
import { Datasets } from './datasets'
import { bundledVectors, Engines } from './engines'
import { Exports } from './exports'
import { handlersOf } from './handlers'
import type { HostAdapter } from './host'
import { Inspector } from './inspector'
import { Jobs } from './jobs'
import { libraryLayout, type Layout } from './layout'
import { openLibrary, recoverRuns, sweepLibrary } from './library'
import { watchLoad } from './load'
import { StepTimes } from './measured'
import { Operations } from './operations'
import { Quiet } from './quiet'
import { Runs } from './runs'
import { RunStore } from './run-store'
import { SettingsStore } from './settings'
import { TrainerClient } from './trainer-client'
import { processHost } from './process-host'
import { threadHost } from './thread-host'
import { chosenHost, type TrainerHosts } from './trainer-host'
import { Training } from './training'
import { Uploads } from './uploads'
import { watchRuns } from './watch-runs'

export { gyreHome } from '#main/engine/home'
export { browserHost, type HostAdapter } from './host'
export type { SetAside } from './rewind'

export interface ServiceOptions {
  /** Absolute path of the library. */
  libraryPath: string
  /** The built trainer, dist/main/trainer.js. */
  trainerEntry: string | URL
  /** The built decoder, dist/main/decoder.js; without it images are decoded in this thread. */
  decoderEntry?: string | URL
  host: HostAdapter
  engineOptions?: EngineOptions
  /** Other ways to start the trainer than Node's own. */
  trainerHosts?: Partial<TrainerHosts>
  /** Where the trainer runs, whatever the settings say. */
  isolation?: TrainerIsolation | undefined
  version?: string
  /** How many steps of each kind a measurement of an engine takes at most; for tests. */
  benchmarkSteps?: number
}

export interface Service {
  readonly handlers: GyreHandlers
  readonly layout: Layout
  readonly datasets: Datasets
  readonly runs: Runs
  readonly store: RunStore
  readonly training: Training
  readonly operations: Operations
  readonly inspector: Inspector
  readonly exports: Exports
  readonly engines: Engines
  readonly bench: Bench
  readonly jobs: Jobs
  /** Adds a listener for events; returns the function that takes it away. */
  bind: Bus['bind']
  /** Stops what trains and keeps it, cancels the rest, and ends the trainer. */
  close(): Promise<void>
}

/** What computes now, in this process or in another that works on the same library; null where nothing does. */
async function busyWith(
  store: RunStore,
  trainers: TrainerClient,
  training: Training,
): Promise<string | null> {
  const active = (await store.list()).find(
    ({ id, status }) => ['preparing', 'running', 'paused'].includes(status) || training.has(id),
  )
  if (active) return `The run “${active.name}” is being trained.`
  return trainers.engineInUse ? 'A model is being looked at, which computes as well.' : null
}

/** @throws GyreError `permission` when the library can't be written */
export async function createService(options: ServiceOptions): Promise<Service> {
  const { libraryPath, host, engineOptions = {}, version = '' } = options
  if (!isAbsolute(libraryPath)) throw new GyreError('invalid-input', 'The library needs an absolute path.')
  const layout = libraryLayout(libraryPath)
  await openLibrary(layout)
  const bus = new Bus()
  const jobs = new Jobs(bus)
  const store = new RunStore(layout, bus)
  const decoders = options.decoderEntry ? createDecoderPool({ entry: options.decoderEntry }) : null
  const datasets = new Datasets(layout, bus, jobs, decoders ?? inThisThread)
  const uploads = new Uploads(layout.uploads)
  const settings = new SettingsStore(layout.settingsFile, bus)
  const times = new StepTimes(layout.measuredFile)
  const { trainerEntry, isolation } = options
  const hosts = {
    thread: threadHost(trainerEntry),
    process: processHost(trainerEntry),
    ...options.trainerHosts,
  }
  const trainerHost = chosenHost(hosts, async () => isolation ?? (await settings.get()).trainerIsolation)
  const vectors = bundledVectors(trainerEntry)
  const trainers: TrainerClient = new TrainerClient(trainerHost, {
    choose: (wish) => engines.choose(wish),
    passOver: (id, reason) => engines.passOver(id, reason),
  })
  // What may turn out to be broken, and what counts memory, is kept apart whatever the setting.
  const apart = chosenHost(hosts, () => Promise.resolve('process'))
  const quiet = new Quiet(() => busyWith(store, trainers, training))
  const bench = new Bench(jobs, apart, quiet)
  const engines = new Engines({
    ...{ jobs, bench, quiet, vectors, benchmarkSteps: options.benchmarkSteps },
    options: engineOptions,
    host: apart,
    benchmarks: new Benchmarks(layout.benchmarksFile),
    release: (id) => trainers.release(id),
    holds: (id) => trainers.holds(id),
  })
  const onBegin = (runName: string): void => quiet.giveWay(runName)
  const training: Training = new Training({ bus, datasets, jobs, trainers, times, host, apart, onBegin })
  const runs = new Runs(store, datasets, training, engines)
  const operations = new Operations({ store, runs, datasets, jobs, trainers })
  const inspector = new Inspector({ store, datasets, jobs, operations })
  const exports = new Exports(layout, store, runs)
  await sweepLibrary(layout)
  const ending = new AbortController()
  await recoverRuns(store, ending.signal)
  const stopWatchingRuns = watchRuns(layout, store, bus)
  const stopWatching = watchLoad(bus, trainers, () => training.dataWaitFraction)
  const parts = { layout, host, version, jobs, store, datasets, uploads, settings, times, engines, training }
  const handlers = handlersOf({ ...parts, runs, inspector, exports })
  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    await training.close()
    jobs.close()
    ending.abort()
    stopWatching()
    stopWatchingRuns()
    await uploads.close()
    await trainers.close()
    await decoders?.close()
  }
  return {
    ...{
      handlers,
      layout,
      datasets,
      runs,
      store,
      training,
      operations,
      inspector,
      exports,
      engines,
      bench,
      jobs,
    },
    bind: (emit, isAttached) => bus.bind(emit, isAttached),
    close: () => (closing ??= close()),
  }
}
