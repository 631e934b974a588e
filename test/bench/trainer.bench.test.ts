// What the trainer costs over a bare tfjs loop of the same step, and whether its memory stays flat, at the settings of
// docs/benchmarks/ab/config.json. Measures and reports; asserts nothing about time.
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseConfig, type RunConfig } from '#shared/config/index'
import { schemaVersion } from '#shared/contract/files'
import { importDataset, packDataset, sampleFolder } from '#main/data/index'
import { loadEngine, type Engine } from '#main/engine/index'
import { createModel, createOptimizer, createRandom, createTrainStep, disposeOutput } from '#main/model/index'
import { TrainControl } from '#main/train/control'
import { runLoop } from '#main/train/loop'
import { TrainSession } from '#main/train/session'
import { median } from '#shared/median'
import { report } from './report'

const rounds = Number(process.env.GYRE_BENCH_ROUNDS ?? 12)
const stepsPerRound = 10
const memorySteps = Number(process.env.GYRE_BENCH_STEPS ?? 2000)

let folder: string
let packed: string
let engine: Engine
let config: RunConfig

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gyre-bench-'))
  engine = await loadEngine('auto')
  const text = await readFile(join(import.meta.dirname, '../../docs/benchmarks/ab/config.json'), 'utf8')
  config = parseConfig(JSON.parse(text))
  const sample = sampleFolder()
  const datasetFolder = join(folder, 'dataset')
  await mkdir(datasetFolder)
  await importDataset({ datasetFolder, source: sample.folder, kind: 'sample', name: 'sample', id: 'sample' })
  const { imageSize, resize, background, channelsIn } = config
  packed = await packDataset({ datasetFolder, transform: { imageSize, resize, background, channelsIn } })
})

afterAll(async () => {
  engine.close()
  await rm(folder, { recursive: true, force: true })
})

async function openSession(name: string, settings: RunConfig): Promise<TrainSession> {
  const runFolder = join(folder, name)
  await mkdir(runFolder)
  const dataset = { id: 'sample', name: 'sample', fingerprint: '', source: '', imageCount: 0 }
  const now = new Date().toISOString()
  const run = {
    ...{
      schemaVersion,
      id: name,
      name,
      notes: '',
      createdAt: now,
      updatedAt: now,
      config: settings,
      dataset,
    },
    ...{ engineWish: 'auto', engine: null, status: 'created', step: 0, trainedMs: 0, parameters: 0 },
    ...{ startedFrom: null, last: null, best: null, error: null },
  }
  await writeFile(join(runFolder, 'run.json'), JSON.stringify(run))
  return TrainSession.open({ runFolder, packed, engine, onRecord: () => undefined })
}

describe('trainer', () => {
  it('overhead over a bare loop of the same step', async () => {
    const model = createModel(config, config.seed)
    const optimizer = createOptimizer(config, model)
    const step = createTrainStep(model, optimizer, config)
    const random = createRandom(1)
    const shape = [config.batchSize, config.imageSize, config.imageSize, config.channelsIn] as const
    const x = tf.randomUniform<tf.Rank.R4>([...shape], -1, 1, 'float32', 7) // [N, S, S, C]
    let t = 0
    const bare = (): number => {
      const started = performance.now()
      for (let i = 0; i < stepsPerRound; i++) {
        const output = step(x, config.learningRate, ++t, random)
        output.loss.dataSync()
        disposeOutput(output)
      }
      return (performance.now() - started) / stepsPerRound
    }

    // Without evaluations and checkpoints first: those are asked for by the person, and are reported apart.
    const steps = (rounds + 1) * stepsPerRound
    const session = await openSession('overhead', {
      ...config,
      steps,
      evaluateEvery: 1e6,
      checkpointEvery: 1e6,
    })
    const bareMs: number[] = []
    const trainerMs: number[] = []
    bare()
    let roundStarted = performance.now()
    const control = new TrainControl()
    const onStep = (done: number): void => {
      if (done % stepsPerRound !== 0 || done >= steps) return
      trainerMs.push((performance.now() - roundStarted) / stepsPerRound)
      bareMs.push(bare())
      roundStarted = performance.now()
    }
    await runLoop(session, { control, onStatus: () => undefined, hooks: { onStep } })
    await session.close()
    model.dispose()
    optimizer.dispose()
    x.dispose()
    const ratios = trainerMs.map((ms, i) => ms / (bareMs[i] ?? Number.NaN))
    await report('trainer-overhead', {
      bareMsPerStep: median(bareMs),
      trainerMsPerStep: median(trainerMs),
      overhead: median(ratios) - 1,
      rounds: trainerMs.length,
      stepsPerRound,
    })
    expect(trainerMs.length).toBe(rounds)
  }, 3_600_000)

  it('memory over many steps', async () => {
    const session = await openSession('memory', { ...config, steps: memorySteps })
    const every = Math.max(1, Math.floor(memorySteps / 20))
    const samples: { step: number; rssBytes: number; tensors: number }[] = []
    const onStep = (step: number): void => {
      if (step % every === 0)
        samples.push({ step, rssBytes: process.memoryUsage.rss(), tensors: tf.memory().numTensors })
    }
    const started = performance.now()
    await runLoop(session, { control: new TrainControl(), onStatus: () => undefined, hooks: { onStep } })
    await session.close()
    await report('trainer-memory', {
      steps: memorySteps,
      secondsInAll: (performance.now() - started) / 1000,
      peakRssBytes: Math.max(...samples.map(({ rssBytes }) => rssBytes)),
      samples,
    })
    expect(samples.length).toBeGreaterThan(0)
  }, 3_600_000)
})
