// The trainer on TensorFlow, in this process: whole small runs, and what can go wrong in them.
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bfloat16Refusal } from '#main/engine/index'
import { listCheckpoints, readTensors, resolveCheckpoint } from '#main/train/checkpoint'
import { isFiniteTensor } from '#main/train/tensors'
import {
  configure,
  context,
  copyRun,
  createWorld,
  recordsOf,
  samplesOf,
  startTrainer,
  timelessRecords,
  tinyConfig,
  weightsOf,
  type InProcess,
  type World,
} from './world'

let world: World
let packed: string
let straight: string
let trainer: InProcess

beforeAll(async () => {
  world = await createWorld()
  packed = await world.pack()
  trainer = await startTrainer('tensorflow-cpu')
  straight = await world.run('straight')
  await trainer.call.train({ runFolder: straight, packed }, context)
})
afterAll(() => world.close())

test('a whole run: records, samples, checkpoints, outcome', async () => {
  const { steps } = tinyConfig
  const records = await recordsOf(straight)
  expect(trainer.statuses).toEqual(['running', 'finished'])
  const events = records.filter((one) => one.kind === 'event').map(({ event }) => event)
  expect(events[0]).toBe('started')
  expect(events.at(-1)).toBe('finished')
  const evaluations = records.filter((one) => one.kind === 'evaluation')
  expect(evaluations.map(({ step }) => step)).toEqual([6, 12, 18, 24])
  const training = records.filter((one) => one.kind === 'train')
  // 32 training images in batches of 4: a window, and so a record, every 8 steps.
  expect(training.map(({ step }) => step)).toEqual([8, 16, 24])
  expect(
    training.every(({ usage, perplexity, dead }) => [usage, perplexity, dead].every(Number.isFinite)),
  ).toBe(true)
  const looks = records.filter((one) => one.kind === 'diagnostics')
  expect(looks.map(({ step }) => step)).toEqual([1, 2, 4, 8, 16])
  for (const look of looks) {
    const { vectors, lambda, angle, encoderLength, codeLength, obtuse, gradientCosine } = look
    // Four images of 4×4 tokens.
    expect(vectors).toBe(4 * 4 * 4)
    for (const histogram of [lambda, angle, encoderLength, codeLength])
      expect(histogram.reduce((a, b) => a + b)).toBe(vectors)
    expect(obtuse).toBeCloseTo(angle.slice(18).reduce((a, b) => a + b) / vectors, 2)
    expect(gradientCosine).toBeLessThan(1)
    expect(gradientCosine).toBeGreaterThanOrEqual(-1)
  }
  const checkpoints = await listCheckpoints(straight)
  expect(checkpoints.map(({ step }) => step)).toContain(steps)
  expect(checkpoints.filter(({ last }) => last).map(({ step }) => step)).toEqual([steps])
  const best = evaluations.reduce((a, b) => (b.validation.mse < a.validation.mse ? b : a))
  expect(checkpoints.find((one) => one.best)?.step).toBe(best.step)
  const samples = Object.keys(await samplesOf(straight))
  expect(samples.filter((name) => name.startsWith('original'))).toHaveLength(8)
  expect(samples.filter((name) => name.startsWith('step-0000012-'))).toHaveLength(8)
  const { width, height, channels } = await sharp(
    await readFile(join(straight, 'samples/step-0000024-0.png')),
  ).metadata()
  expect({ width, height, channels }).toEqual({ width: 16, height: 16, channels: 3 })
})

test('the run learns', async () => {
  const evaluations = (await recordsOf(straight)).filter((one) => one.kind === 'evaluation')
  expect(evaluations.at(-1)?.validation.mse).toBeLessThan((evaluations[0]?.validation.mse ?? 0) * 0.9)
})

test('evaluating a checkpoint again gives the figures of its record', async () => {
  const checkpoint = tinyConfig.steps
  const { step, validation } = await trainer.call.evaluate(
    { runFolder: straight, checkpoint, packed, split: 'validation' },
    context,
  )
  const recorded = (await recordsOf(straight)).find((one) => one.kind === 'evaluation' && one.step === step)
  expect(recorded).toMatchObject({ validation })
})

describe('exact resume', () => {
  async function expectSame(runFolder: string): Promise<void> {
    expect(await weightsOf(runFolder, tinyConfig.steps)).toEqual(await weightsOf(straight, tinyConfig.steps))
    expect(await timelessRecords(runFolder)).toEqual(await timelessRecords(straight))
    expect(await samplesOf(runFolder)).toEqual(await samplesOf(straight))
  }

  test.each([1, 5, 8, 12, 23])('stopped after step %i and resumed', async (at) => {
    const runFolder = await world.run(`stopped-${at}`)
    const stopping = await startTrainer('tensorflow-cpu', {
      hooks: { onStep: (step) => (step === at ? void stopping.call.stop(undefined, context) : undefined) },
    })
    const outcome = await stopping.call.train({ runFolder, packed }, context)
    expect(outcome).toMatchObject({ status: 'stopped', step: at })
    expect((await resolveCheckpoint(runFolder, 'last')).step).toBe(at)
    const again = await trainer.call.train({ runFolder, packed }, context)
    expect(again).toMatchObject({ status: 'finished', step: tinyConfig.steps })
    await expectSame(runFolder)
  })

  test('in bfloat16, too', async (test) => {
    const refusal = bfloat16Refusal('tensorflow-cpu')
    test.skip(refusal !== null, refusal ?? '')
    const low = { precision: 'bfloat16' } as const
    const [whole, cut] = [await world.run('bfloat16', low), await world.run('bfloat16-stopped', low)]
    await trainer.call.train({ runFolder: whole, packed }, context)
    const stopping = await startTrainer('tensorflow-cpu', {
      hooks: { onStep: (step) => (step === 9 ? void stopping.call.stop(undefined, context) : undefined) },
    })
    expect(await stopping.call.train({ runFolder: cut, packed }, context)).toMatchObject({ step: 9 })
    await trainer.call.train({ runFolder: cut, packed }, context)
    expect(await weightsOf(cut, tinyConfig.steps)).toEqual(await weightsOf(whole, tinyConfig.steps))
    expect(await weightsOf(cut, tinyConfig.steps)).not.toEqual(await weightsOf(straight, tinyConfig.steps))
  })

  test('stopped in the middle of an evaluation', async () => {
    const runFolder = await world.run('stopped-in-evaluation')
    let stopping: InProcess | null = null
    const hooks = {
      // The stop comes with the batch of step 12, so the evaluation behind it starts with a stop already asked for.
      onBatch: (step: number) => (step === 12 ? void stopping?.call.stop(undefined, context) : undefined),
    }
    stopping = await startTrainer('tensorflow-cpu', { hooks })
    const outcome = await stopping.call.train({ runFolder, packed }, context)
    expect(outcome).toEqual({ status: 'stopped', step: 12, validation: null })
    await trainer.call.train({ runFolder, packed }, context)
    await expectSame(runFolder)
  })

  test('paused, resumed, and everything of the pause is in the log', async () => {
    const runFolder = await world.run('paused')
    const seen: string[] = []
    const pausing = await startTrainer('tensorflow-cpu', {
      hooks: {
        onStep: (step) => {
          if (step !== 10) return
          void Promise.resolve(pausing.call.pause(undefined, context)).then(async () => {
            seen.push(`paused with checkpoint ${(await resolveCheckpoint(runFolder, 'last')).step}`)
            return pausing.call.resume(undefined, context)
          })
        },
      },
    })
    await pausing.call.train({ runFolder, packed }, context)
    expect(seen).toEqual(['paused with checkpoint 10'])
    expect(pausing.statuses).toEqual(['running', 'paused', 'running', 'finished'])
    await expectSame(runFolder)
  })

  test('the last checkpoint damaged: the one before it, said in the log, and the same end', async () => {
    const runFolder = await copyRun(straight, join(world.folder, 'runs/damaged'))
    const path = join(runFolder, 'checkpoints/step-0000024/model.safetensors')
    const bytes = await readFile(path)
    bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 4
    await writeFile(path, bytes)
    await trainer.call.train({ runFolder, packed }, context)
    const recovered = (await recordsOf(runFolder)).find(
      (one) => one.kind === 'event' && one.event === 'recovered',
    )
    expect(recovered).toMatchObject({ step: 20, message: expect.stringContaining('step-0000024') as string })
    await expectSame(runFolder)
    expect((await readdir(join(runFolder, 'checkpoints'))).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test('a torn metrics file is repaired', async () => {
    const runFolder = await copyRun(straight, join(world.folder, 'runs/torn'))
    const path = join(runFolder, 'metrics.jsonl')
    await truncate(path, (await readFile(path)).length - 20)
    await trainer.call.train({ runFolder, packed }, context)
    await expectSame(runFolder)
  })

  test('with codes from k-means, revival, gradient codebook and cosine distance too', async () => {
    const change = {
      codebookInit: 'kmeans',
      deadCodeThreshold: 0.5,
      codebookUpdate: 'gradient',
      distance: 'cosine',
      schedule: 'cosine',
      warmupSteps: 5,
      sampling: 'replacement',
      steps: 12,
    } as const
    const whole = await world.run('options-whole', change)
    const parts = await world.run('options-parts', change)
    await trainer.call.train({ runFolder: whole, packed }, context)
    const stopping = await startTrainer('tensorflow-cpu', {
      hooks: { onStep: (step) => (step === 7 ? void stopping.call.stop(undefined, context) : undefined) },
    })
    await stopping.call.train({ runFolder: parts, packed }, context)
    await trainer.call.train({ runFolder: parts, packed }, context)
    expect(await weightsOf(parts, 12)).toEqual(await weightsOf(whole, 12))
    expect(await timelessRecords(parts)).toEqual(await timelessRecords(whole))
    const training = (await recordsOf(whole)).filter((one) => one.kind === 'train')
    expect(training.find(({ usage }) => usage !== undefined)?.revived).toBeGreaterThan(0)
  })

  test('k-means says how far it is, and a run that is stopped meanwhile begins anew', async () => {
    const change = { codebookInit: 'kmeans', steps: 4 } as const
    const whole = await world.run('kmeans-whole', change)
    const again = await world.run('kmeans-again', change)
    await trainer.call.train({ runFolder: whole, packed }, context)
    const heard: [number, number][] = []
    const stopping = await startTrainer('tensorflow-cpu', {}, (done, total) => {
      heard.push([done, total])
      if (heard.length === 3) void stopping.call.stop(undefined, context)
    })
    await expect(stopping.call.train({ runFolder: again, packed }, context)).rejects.toMatchObject({
      code: 'cancelled',
    })
    const { batchSize } = tinyConfig
    expect(heard.map(([done]) => done)).toEqual([batchSize, 2 * batchSize, 3 * batchSize])
    expect(heard.every(([done, total]) => done < total)).toBe(true)
    expect(await readdir(join(again, 'checkpoints')).catch(() => [])).toEqual([])
    await trainer.call.train({ runFolder: again, packed }, context)
    expect(await weightsOf(again, 4)).toEqual(await weightsOf(whole, 4))
  })

  test('a finished run goes on with more steps, as if they had been asked for at once', async () => {
    const runFolder = await world.run('longer', { steps: 12 })
    await trainer.call.train({ runFolder, packed }, context)
    await configure(runFolder, { steps: tinyConfig.steps })
    await trainer.call.train({ runFolder, packed }, context)
    expect(await weightsOf(runFolder, tinyConfig.steps)).toEqual(await weightsOf(straight, tinyConfig.steps))
  })
})

describe('numbers that are not finite', () => {
  const poisons: [number, number][] = [
    [1, Number.NaN],
    [11, Number.NaN],
    // Finite, but its square is not.
    [9, 3e38],
  ]
  test.each(poisons)(
    'at step %i, by %f in the batch: noticed then, nothing of it is kept',
    async (at, poison) => {
      const runFolder = await world.run(`diverged-${at}`)
      const poisoned = await startTrainer('tensorflow-cpu', {
        hooks: { onBatch: (step, values) => (step === at ? void (values[3] = poison) : undefined) },
      })
      const outcome = await poisoned.call.train({ runFolder, packed }, context)
      expect(outcome).toMatchObject({ status: 'diverged', step: at - 1 })
      expect(poisoned.statuses.at(-1)).toBe('diverged')
      const event = (await recordsOf(runFolder)).findLast((one) => one.kind === 'event')
      expect(event).toMatchObject({
        event: 'diverged',
        message: expect.stringMatching(`at step ${at};.*smaller learning rate`) as string,
      })
      const { folder, step } = await resolveCheckpoint(runFolder, 'last')
      expect(step).toBeLessThan(at)
      for (const part of ['model', 'optimizer'] as const)
        expect([...(await readTensors(folder, part)).values()].every(isFiniteTensor)).toBe(true)
      // Without the poison it goes on from the last good state, to the same end.
      await trainer.call.train({ runFolder, packed }, context)
      expect(await weightsOf(runFolder, tinyConfig.steps)).toEqual(
        await weightsOf(straight, tinyConfig.steps),
      )
    },
  )

  test.each([Number.NaN, Number.POSITIVE_INFINITY, -1 / 0])('a tensor with %f is not finite', (number) => {
    const data = new Float32Array([1, -3e38, 0, 1e-45])
    expect(isFiniteTensor({ name: 'a', dtype: 'F32', shape: [4], data })).toBe(true)
    data[2] = number
    expect(isFiniteTensor({ name: 'a', dtype: 'F32', shape: [4], data })).toBe(false)
  })
})

describe('memory', () => {
  test('the number of tensors is the same after every step, evaluation and checkpoint', async () => {
    const runFolder = await world.run('leaks', { steps: 60 })
    const counts = new Set<number>()
    const measuring = await startTrainer('tensorflow-cpu', {
      hooks: { onStep: () => void counts.add(tf.memory().numTensors) },
    })
    await measuring.call.train({ runFolder, packed }, context)
    expect(counts.size).toBe(1)
  })

  test('nothing is left of a run that has ended, or of a model that was looked at', async () => {
    const before = tf.memory().numTensors
    const looking = await startTrainer('tensorflow-cpu')
    const runFolder = await world.run('ends', { steps: 3 })
    await looking.call.train({ runFolder, packed }, context)
    await looking.call.decodeCodes({ runFolder, checkpoint: 'best', indices: [0] }, context)
    await looking.call.decodeCodes({ runFolder: straight, checkpoint: 'best', indices: [0] }, context)
    await looking.trainer.close()
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('starting', () => {
  test('from another run’s weights', async () => {
    const runFolder = await world.run('from', { steps: 1, learningRate: 1e-8, weightDecay: 0 })
    await trainer.call.train({ runFolder, packed, fromRun: { runFolder: straight, checkpoint: 24 } }, context)
    const mine = await trainer.call.evaluate(
      { runFolder, checkpoint: 0, packed, split: 'validation' },
      context,
    )
    const theirs = await trainer.call.evaluate(
      { runFolder: straight, checkpoint: 24, packed, split: 'validation' },
      context,
    )
    expect(mine.validation).toEqual(theirs.validation)
  })

  test('from a run with another network: refused by name', async () => {
    const runFolder = await world.run('from-other', { channels: 12 })
    await expect(
      trainer.call.train(
        { runFolder, packed, fromRun: { runFolder: straight, checkpoint: 'best' } },
        context,
      ),
    ).rejects.toMatchObject({ code: 'invalid-input' })
  })

  test('images of another size, a second run at a time, control without a run', async () => {
    const runFolder = await world.run('refused', { imageSize: 32 })
    await expect(trainer.call.train({ runFolder, packed }, context)).rejects.toMatchObject({
      code: 'invalid-input',
    })
    const [first, second] = await Promise.allSettled([
      trainer.call.train({ runFolder: await world.run('one', { steps: 2 }), packed }, context),
      trainer.call.train({ runFolder: await world.run('two', { steps: 2 }), packed }, context),
    ])
    expect([first.status, second.status].sort()).toEqual(['fulfilled', 'rejected'])
    expect(() => trainer.call.stop(undefined, context)).toThrow('Nothing is being trained.')
  })

  test('without a validation share the training images are measured, and the log says so', async () => {
    const runFolder = await world.run('no-validation', { validationFraction: 0, steps: 6 })
    const { validation } = await trainer.call.train({ runFolder, packed }, context)
    expect(validation?.images).toBe(40)
    expect(
      (await recordsOf(runFolder)).some(
        (one) => one.kind === 'event' && /training images are measured/.test(one.message),
      ),
    ).toBe(true)
  })

  test('cancelling the call stops the run and keeps it', async () => {
    const runFolder = await world.run('cancelled')
    const controller = new AbortController()
    const cancelled = await startTrainer('tensorflow-cpu', {
      hooks: { onStep: (step) => (step === 3 ? controller.abort() : undefined) },
    })
    const outcome = await cancelled.call.train(
      { runFolder, packed },
      { ...context, signal: controller.signal },
    )
    expect(outcome).toMatchObject({ status: 'stopped', step: 3 })
  })
})
