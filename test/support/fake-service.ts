// The whole service in memory, with made-up but plausible data, for looking at the window and for component
// tests. Time passes only when `tick` is called. Writes nothing, trains nothing.
import { settingsShape, type Settings, type SystemLoad } from '#shared/contract/app'
import { engineIds, type Job } from '#shared/contract/common'
import { checkConfig, tokenGrid } from '#shared/config/index'
import type { EngineBenchmark, OlderEngine } from '#shared/contract/engines'
import { GyreError } from '#shared/contract/errors'
import type { DatasetFile, MetricsRecord, RunFile } from '#shared/contract/files'
import { contract, type GyreContract, type GyreHandlers } from '#shared/contract/index'
import { createHub, memoryPair, type Hub, type Transport } from '#shared/rpc/index'
import { describeNetwork } from '#main/model/describe'
import {
  fakeDataset,
  fakeItems,
  fakeRecords,
  fakeRun,
  fakeRunEngine,
  fakeSkipped,
  picture,
} from './fake-data'
import { fakeBenchmark, fakeEngine, fakeStorage } from './fake-engines'
import { fakeInspector } from './fake-inspector'

export interface FakeOptions {
  datasets?: DatasetFile[]
  runs?: RunFile[]
  welcomeDismissed?: boolean
  kind?: 'desktop' | 'browser'
  /** TensorFlow is not installed yet. */
  wasmOnly?: boolean
  /** Engines of another version on disk. */
  olderEngines?: OlderEngine[]
  benchmarks?: EngineBenchmark[]
  /** Calls that fail, as `topic.name` → error. */
  failing?: Record<string, GyreError>
}

export interface FakeService {
  handlers: GyreHandlers
  hub: Hub<GyreContract>
  /** Files that were uploaded: path → bytes received. */
  uploaded: Map<string, number>
  /** Connects one more window. */
  open(): Promise<Transport>
  /** Lets running work go one step on. */
  tick(): void
  /** Changes a run behind everybody's back; windows are told. */
  setRun(run: RunFile): void
  /** Every call so far, as `topic.name`. */
  calls: string[]
}

export function createFakeService(options: FakeOptions = {}): FakeService {
  let datasets = options.datasets ?? [fakeDataset()]
  let runs = options.runs ?? [fakeRun()]
  let jobs: Job[] = []
  let settings: Settings = settingsShape.parse({ welcomeDismissed: options.welcomeDismissed ?? true })
  let nextId = 1
  const uploads = new Map<string, { name: string; files: Map<string, number> }>()
  const uploaded = new Map<string, number>()
  const calls: string[] = []
  let wasmOnly = options.wasmOnly ?? false
  let olderEngines = options.olderEngines ?? []
  let benchmarks = options.benchmarks ?? []

  const missing = (what: string): never => {
    throw new GyreError('not-found', `There is no such ${what}.`)
  }
  const dataset = (id: string): DatasetFile => datasets.find((one) => one.id === id) ?? missing('dataset')
  const run = (id: string): RunFile => runs.find((one) => one.id === id) ?? missing('run')

  function putDataset(next: DatasetFile): DatasetFile {
    datasets = [...datasets.filter((one) => one.id !== next.id), next]
    hub.emit('datasets', 'onChange', { id: next.id, dataset: next })
    return next
  }

  function putRun(next: RunFile): RunFile {
    runs = [...runs.filter((one) => one.id !== next.id), next]
    hub.emit('runs', 'onChange', { id: next.id, run: next })
    return next
  }

  function putJob(next: Job): Job {
    jobs = [...jobs.filter((one) => one.id !== next.id), next]
    hub.emit('jobs', 'onChange', next)
    return next
  }

  function startJob(
    kind: Job['kind'],
    title: string,
    total: number,
    unit: string,
    more: Partial<Job> = {},
  ): Job {
    return putJob({
      id: `job-${nextId++}`,
      kind,
      title,
      phase: kind === 'import' ? 'reading files' : kind,
      done: 0,
      total,
      unit,
      startedAt: new Date().toISOString(),
      status: 'running',
      ...more,
    })
  }

  function startImport(
    name: string,
    kind: DatasetFile['kind'],
    source: string,
    imageCount: number,
  ): { jobId: string } {
    const id = kind === 'sample' ? 'emoji' : `set-${nextId++}`
    finish.set(
      startJob('import', `import ${name}`, imageCount, 'files', { datasetId: id }).id,
      () =>
        void putDataset(
          fakeDataset({
            id,
            name,
            kind,
            source,
            imageCount,
            createdAt: new Date().toISOString(),
            ...(kind === 'sample' ? {} : { licence: undefined }),
          }),
        ),
    )
    return { jobId: jobs.at(-1)?.id ?? '' }
  }
  const finish = new Map<string, () => void>()

  function setStatus(id: string, status: RunFile['status']): void {
    putRun({ ...run(id), status })
  }

  const handlers: GyreHandlers = {
    datasets: {
      list: () => datasets,
      get: ({ id }) => dataset(id),
      importFolder: ({ path, name }) =>
        startImport(name ?? path.split('/').at(-1) ?? path, 'folder', path, 200),
      importSample: () => startImport('Emoji', 'sample', '/opt/gyre/sample', 3786),
      uploadBegin: ({ name }) => {
        const uploadId = `upload-${nextId++}`
        uploads.set(uploadId, { name, files: new Map() })
        return { uploadId }
      },
      uploadChunk: ({ uploadId, path, offset, data }) => {
        const files = uploads.get(uploadId)?.files ?? missing('upload')
        const have = files.get(path) ?? 0
        if (offset !== have)
          throw new GyreError('invalid-input', `${path}: piece at ${offset}, expected ${have}.`)
        files.set(path, have + data.length)
        uploaded.set(path, have + data.length)
      },
      uploadFinish: ({ uploadId }) => {
        const { name, files } = uploads.get(uploadId) ?? missing('upload')
        return startImport(name, 'copy', 'files', files.size)
      },
      uploadCancel: ({ uploadId }) => void uploads.delete(uploadId),
      rename: ({ id, name }) => putDataset({ ...dataset(id), name }),
      remove: ({ id }) => {
        datasets = datasets.filter((one) => one.id !== id)
        hub.emit('datasets', 'onChange', { id, dataset: null })
      },
      items: ({ id, offset, limit }) => ({
        total: dataset(id).imageCount,
        items: fakeItems(dataset(id), offset, limit),
      }),
      skipped: ({ id, offset, limit }) => ({
        total: dataset(id).skippedCount,
        items: fakeSkipped.slice(0, dataset(id).skippedCount).slice(offset, offset + limit),
      }),
      thumbnails: ({ indices, size }) => indices.map((index) => picture(index, Math.min(size, 64))),
      preview: ({ index, transform }) => picture(index, transform.imageSize),
    },
    runs: {
      list: () => runs,
      get: ({ id }) => run(id),
      create: ({ datasetId, config, engine: wish, name }) => {
        const from = dataset(datasetId)
        const made = putRun(
          fakeRun({
            id: `run-${nextId++}-new`,
            name: name ?? `${from.name} · ${config.estimator} · seed ${config.seed}`,
            createdAt: new Date().toISOString(),
            config,
            engineWish: wish,
            dataset: { ...fakeRun().dataset, id: from.id, name: from.name, imageCount: from.imageCount },
            status: 'running',
            step: 0,
            trainedMs: 0,
            last: null,
            best: null,
          }),
        )
        startJob('train', `training ${made.name}`, config.steps, 'steps', { runId: made.id })
        return made
      },
      update: ({ id, name, notes }) =>
        putRun({ ...run(id), name: name ?? run(id).name, notes: notes ?? run(id).notes }),
      remove: ({ id }) => {
        runs = runs.filter((one) => one.id !== id)
        hub.emit('runs', 'onChange', { id, run: null })
      },
      metrics: ({ id, afterStep, maxPoints }) => {
        const one = run(id)
        const every = Math.max(10, Math.ceil(one.step / maxPoints / 10) * 10)
        const records: MetricsRecord[] = []
        for (let step = every; step <= one.step; step += every)
          if (step > afterStep) records.push(...fakeRecords(one, step))
        return records
      },
      sampleSteps: ({ id }) => ({
        steps: Array.from({ length: Math.floor(run(id).step / 100) }, (_, i) => (i + 1) * 100),
        count: 12,
      }),
      samples: ({ step }) =>
        Array.from({ length: 12 }, (_, i) => picture(i * 7, 64, step === null ? 0 : 20 / (step + 40))),
      checkpoints: ({ id }) => [
        { step: run(id).step, best: true, last: true, sizeBytes: 13_600_000 },
        { step: Math.max(0, run(id).step - 250), best: false, last: false, sizeBytes: 13_600_000 },
      ],
      log: () => 'started\nstep 100\n',
      pause: ({ id }) => setStatus(id, 'paused'),
      resume: ({ id }) => {
        setStatus(id, 'running')
        if (!jobs.some((job) => job.runId === id && job.status === 'running'))
          startJob('train', `training ${run(id).name}`, run(id).config.steps, 'steps', { runId: id })
      },
      stop: ({ id }) => {
        setStatus(id, 'stopped')
        const job = jobs.find((one) => one.runId === id && one.status === 'running')
        if (job) putJob({ ...job, status: 'done' })
      },
    },
    design: {
      preflight: ({ datasetId, config }) => {
        const images = dataset(datasetId).imageCount
        const validationImages = Math.round(images * config.validationFraction)
        const side = Math.floor(tokenGrid(config))
        const network = describeNetwork(config)
        return {
          parameters: network.parameters,
          tokens: [side, side],
          compressionRatio:
            (config.imageSize ** 2 * config.channelsIn * 8) / (side * side * Math.log2(config.codebookSize)),
          trainImages: images - validationImages,
          validationImages,
          stepsPerEpoch: (images - validationImages) / config.batchSize,
          memoryBytes: config.batchSize * config.imageSize ** 2 * config.channels * 30,
          secondsPerStep: 0.168,
          layers: network.layers,
          warnings: checkConfig(config).warnings,
        }
      },
    },
    inspector: fakeInspector(run),
    exports: {
      safetensors: ({ runId, folder }) => ({
        exportId: 'export-1',
        folder: folder ?? `/home/you/Gyre/exports/${runId}`,
        step: run(runId).step,
        files: [
          { name: 'model.safetensors', sizeBytes: 3_000_000 },
          { name: 'config.json', sizeBytes: 1200 },
        ],
        tensors: [
          { name: 'codebook', shape: [1024, 32] },
          { name: 'encoder.0.weight', shape: [4, 4, 3, 64] },
        ],
      }),
      read: ({ offset }) => new Uint8Array(offset === 0 ? 1000 : 0),
      metricsCsv: () => 'step,loss\n1,0.5\n',
    },
    engines: {
      list: () => engineIds.map((id) => fakeEngine(id, wasmOnly)),
      chosen: ({ wish }) =>
        wish === 'wasm' || wasmOnly
          ? { id: 'wasm', name: 'WASM', version: '4.22.0', device: '2 cores', reason: 'chosen in Settings' }
          : fakeRunEngine,
      install: ({ id }) => {
        const job = startJob('engine-install', `install ${id}`, 180_000_000, 'bytes', { engineId: id })
        finish.set(job.id, () => void (wasmOnly = false))
        return { jobId: job.id }
      },
      remove: ({ id }) => {
        wasmOnly = true
        return fakeEngine(id, wasmOnly)
      },
      storage: () => ({ ...fakeStorage, older: olderEngines }),
      removeOlder: ({ name }) => void (olderEngines = olderEngines.filter((one) => one.name !== name)),
      benchmark: ({ id }) => {
        const job = startJob('bench', `measure ${id}`, 60, 's', { engineId: id })
        finish.set(
          job.id,
          () =>
            void (benchmarks = [...benchmarks.filter(({ engine }) => engine.id !== id), fakeBenchmark(id)]),
        )
        return { jobId: job.id }
      },
      benchmarks: () => benchmarks,
      test: () => ({
        pass: true,
        checks: [
          { name: 'convolution', error: 3.1e-7, pass: true },
          { name: 'rotation gradient', error: 8.4e-7, pass: true },
        ],
      }),
    },
    jobs: {
      list: () => jobs,
      cancel: ({ id }) => {
        const job = jobs.find((one) => one.id === id)
        if (job) putJob({ ...job, status: 'cancelled' })
      },
    },
    settings: {
      get: () => settings,
      set: (change) => {
        settings = { ...settings, ...change }
        hub.emit('settings', 'onChange', settings)
        return settings
      },
    },
    host: {
      info: () => ({
        kind: options.kind ?? 'browser',
        platform: 'linux',
        version: '0.1.0',
        libraryPath: '/home/you/.local/share/Gyre',
        cores: 2,
        memoryBytes: 8_000_000_000,
        canPickFolder: options.kind === 'desktop',
        canReveal: options.kind === 'desktop',
      }),
      pickFolder: () => (options.kind === 'desktop' ? { path: '/home/you/pictures' } : null),
      reveal: () => undefined,
    },
  }

  const hub = createHub(contract, watched(handlers, calls, options.failing ?? {}))

  function tick(): void {
    for (const job of jobs.filter((one) => one.status === 'running')) {
      if (job.runId !== undefined) tickRun(job, run(job.runId))
      else {
        const done = Math.min(job.total, job.done + Math.ceil(job.total / 20))
        const over = done >= job.total
        if (over) finish.get(job.id)?.()
        putJob({ ...job, done, status: over ? 'done' : 'running' })
      }
    }
    const training = runs.some((one) => one.status === 'running')
    const load: SystemLoad = {
      cpuPercent: training ? 196 : 3,
      rssBytes: training ? 1_310_000_000 : 182_000_000,
      tensors: training ? 212 : null,
      engine: training ? fakeRunEngine : null,
      dataWaitFraction: training ? 0.004 : null,
    }
    hub.emit('host', 'onLoad', load)
  }

  function tickRun(job: Job, one: RunFile): void {
    if (one.status !== 'running') return
    const step = Math.min(one.config.steps, one.step + 10)
    const records = fakeRecords(one, step)
    const over = step >= one.config.steps
    const evaluation = records.find((each) => each.kind === 'evaluation')
    for (const each of records) hub.emit('runs', 'onRecord', { id: one.id, record: each })
    putRun({
      ...one,
      step,
      trainedMs: step * 240,
      status: over ? 'finished' : 'running',
      ...(evaluation?.kind === 'evaluation'
        ? { last: { step, ...evaluation.validation }, best: { step, ...evaluation.validation } }
        : {}),
    })
    putJob({ ...job, phase: 'training', done: step, status: over ? 'done' : 'running' })
  }

  return {
    handlers,
    hub,
    uploaded,
    calls,
    tick,
    setRun: (next) => void putRun(next),
    open: () => {
      const [near, far] = memoryPair()
      hub.attach(far)
      return Promise.resolve(near)
    },
  }
}

/** The same handlers, noting each call and failing those that shall fail. */
function watched(handlers: GyreHandlers, calls: string[], failing: Record<string, GyreError>): GyreHandlers {
  const copy: Record<string, Record<string, unknown>> = {}
  for (const [topic, members] of Object.entries(handlers)) {
    copy[topic] = {}
    for (const [name, member] of Object.entries(members as Record<string, (...values: unknown[]) => unknown>))
      copy[topic][name] = (...values: unknown[]) => {
        calls.push(`${topic}.${name}`)
        const error = failing[`${topic}.${name}`]
        if (error) throw error
        return member(...values)
      }
  }
  return copy as unknown as GyreHandlers
}
