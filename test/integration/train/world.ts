// A small world to train in: drawn images, their pack, and run folders as the service makes them.
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { configSchema, type ConfigInput, type RunConfig } from '#shared/config/schema'
import type { EngineWish } from '#shared/contract/common'
import type {
  DiagnosticsRecord,
  EvaluationRecord,
  MetricsRecord,
  RunFile,
  RunStatus,
  TrainRecord,
} from '#shared/contract/files'
import { trainerContract } from '#shared/contract/trainer'
import { importDataset, packDataset } from '#main/data/index'
import { readRecords } from '#main/train/metrics-log'
import { Trainer, type TrainerOptions } from '#main/train/trainer'

export const tinyConfig: RunConfig = configSchema.parse({
  imageSize: 16,
  batchSize: 4,
  steps: 24,
  seed: 7,
  codebookSize: 24,
  codeDim: 4,
  channels: 8,
  residualBlocks: 1,
  learningRate: 0.003,
  validationFraction: 0.2,
  checkpointEvery: 4,
  evaluateEvery: 6,
  flip: true,
  randomCrop: true,
} satisfies ConfigInput)

/** Coloured discs on coloured ground, so that there is something to learn. */
async function drawImages(folder: string, count: number): Promise<void> {
  const size = 24
  await mkdir(folder, { recursive: true })
  for (let i = 0; i < count; i++) {
    const [x, y, radius] = [6 + (i % 12), 18 - (i % 9), 3 + (i % 5)]
    const pixels = Uint8Array.from({ length: size * size * 3 }, (_, at) => {
      const [row, column, channel] = [Math.floor(at / (3 * size)), Math.floor(at / 3) % size, at % 3]
      const inside = (column - x) ** 2 + (row - y) ** 2 < radius ** 2
      return inside ? 120 + ((i * (31 + channel * 17)) % 130) : (i * (53 + channel * 29)) % 110
    })
    const raw = { width: size, height: size, channels: 3 } as const
    await sharp(pixels, { raw })
      .png()
      .toFile(join(folder, `image-${String(i).padStart(3, '0')}.png`))
  }
}

export interface World {
  folder: string
  /** Prepared images at the configuration's size. */
  pack(config?: RunConfig): Promise<string>
  run(name: string, config?: Partial<RunConfig>): Promise<string>
  close(): Promise<void>
}

function runFileOf(id: string, config: RunConfig): RunFile {
  const now = '2026-01-01T00:00:00.000Z'
  return {
    schemaVersion: 1,
    id,
    name: id,
    notes: '',
    createdAt: now,
    updatedAt: now,
    config,
    engineWish: 'auto',
    engine: null,
    dataset: { id: 'drawn', name: 'drawn', fingerprint: '', source: '', imageCount: 0 },
    status: 'created',
    step: 0,
    trainedMs: 0,
    parameters: 0,
    startedFrom: null,
    last: null,
    best: null,
    error: null,
  }
}

/** Changes the configuration of a run, as the service does before it goes on with more steps. */
export async function configure(runFolder: string, change: Partial<RunConfig>): Promise<void> {
  const path = join(runFolder, 'run.json')
  const run = JSON.parse(await readFile(path, 'utf8')) as RunFile
  await writeFile(path, JSON.stringify({ ...run, config: { ...run.config, ...change } }))
}

export async function createWorld(images = 40): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'gyre-train-'))
  const datasetFolder = join(folder, 'dataset')
  await drawImages(join(folder, 'images'), images)
  await importDataset({
    datasetFolder,
    source: join(folder, 'images'),
    kind: 'folder',
    id: 'drawn',
    name: 'drawn',
  })
  return {
    folder,
    pack: ({ imageSize, resize, background, channelsIn } = tinyConfig) =>
      packDataset({ datasetFolder, transform: { imageSize, resize, background, channelsIn } }),
    run: async (name, change = {}) => {
      const path = join(folder, 'runs', name)
      await mkdir(path, { recursive: true })
      await writeFile(join(path, 'run.json'), JSON.stringify(runFileOf(name, { ...tinyConfig, ...change })))
      return path
    },
    close: () => rm(folder, { recursive: true }),
  }
}

export interface InProcess {
  trainer: Trainer
  call: Trainer['handlers']['trainer']
  records: MetricsRecord[]
  statuses: RunStatus[]
}

export const context = { signal: new AbortController().signal, connectionId: 'test' }

/** A trainer in this process, its engine loaded. `onStarting` hears how far the start of a codebook is. */
export async function startTrainer(
  engine: EngineWish,
  options?: TrainerOptions,
  onStarting?: (done: number, total: number) => void,
): Promise<InProcess> {
  const records: MetricsRecord[] = []
  const statuses: RunStatus[] = []
  const emit = (_: unknown, name: unknown, payload: unknown): void => {
    const { onRecord, onStatus, onStarting: onStart } = trainerContract.trainer
    if (name === 'onRecord') records.push(onRecord.payload.parse(payload).record)
    if (name === 'onStatus') statuses.push(onStatus.payload.parse(payload).status)
    if (name !== 'onStarting') return
    const { done, total } = onStart.payload.parse(payload)
    onStarting?.(done, total)
  }
  const trainer = new Trainer(emit, options)
  const call = trainer.handlers.trainer
  await call.load({ engine }, context)
  return { trainer, call, records, statuses }
}

export async function recordsOf(runFolder: string): Promise<MetricsRecord[]> {
  const records: MetricsRecord[] = []
  for await (const record of readRecords(runFolder)) records.push(record)
  return records
}

type Timeless =
  | Omit<TrainRecord, 'trainedMs' | 'stepsPerSecond' | 'imagesPerSecond' | 'dataWaitFraction'>
  | Omit<EvaluationRecord | DiagnosticsRecord, 'trainedMs'>

/** Every record but events, without the times in them: what must not depend on stops. */
export async function timelessRecords(runFolder: string): Promise<Timeless[]> {
  const kept: Timeless[] = []
  for (const record of await recordsOf(runFolder)) {
    if (record.kind === 'event') continue
    const { trainedMs, ...rest } = record
    if (rest.kind !== 'train') kept.push(rest)
    else {
      const { stepsPerSecond, imagesPerSecond, dataWaitFraction, ...timeless } = rest
      if ([trainedMs, stepsPerSecond, imagesPerSecond, dataWaitFraction].every(Number.isFinite))
        kept.push(timeless)
    }
  }
  return kept
}

/** SHA-256 of the tensors of a checkpoint. */
export async function weightsOf(
  runFolder: string,
  step: number,
): Promise<{ model: string; optimizer: string }> {
  const folder = join(runFolder, 'checkpoints', `step-${String(step).padStart(7, '0')}`)
  const digest = async (file: string): Promise<string> =>
    createHash('sha256')
      .update(await readFile(join(folder, file)))
      .digest('hex')
  return { model: await digest('model.safetensors'), optimizer: await digest('optimizer.safetensors') }
}

/** SHA-256 of every sample picture by name. */
export async function samplesOf(runFolder: string): Promise<Record<string, string>> {
  const folder = join(runFolder, 'samples')
  const names = (await readdir(folder)).sort()
  const digests = await Promise.all(
    names.map(async (name) =>
      createHash('sha256')
        .update(await readFile(join(folder, name)))
        .digest('hex'),
    ),
  )
  return Object.fromEntries(names.map((name, i) => [name, digests[i] ?? '']))
}

export async function copyRun(from: string, to: string): Promise<string> {
  await cp(from, to, { recursive: true })
  return to
}
