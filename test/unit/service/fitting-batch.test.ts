// The answer to memory that has run out, with trainers whose memory holds so many images and no more.
import { totalmem } from 'node:os'
import { expect, it } from 'vitest'
import { defaultConfig } from '#shared/config/index'
import { GyreError } from '#shared/contract/errors'
import { answerMemory, BatchTooLarge, type BatchQuestion } from '../../../src-main/service/fitting-batch'
import { estimateMemory } from '../../../src-main/service/preflight'
import { crashOfProcess, type TrainerCrash } from '../../../src-main/service/trainer-crash'
import { fakeEngine, fakeTrainers, type FakeTrainers } from '../../support/fake-trainer'

const full = new GyreError('out-of-memory', 'The memory is not enough for this.')

function crash(signal: NodeJS.Signals): TrainerCrash {
  const found = crashOfProcess({ code: null, signal, lastWords: '' })
  if (!found) throw new Error('That is no crash.')
  return found
}

const fault = crash('SIGSEGV')
const ended = crash('SIGKILL')

interface Machine extends FakeTrainers {
  /** Batch sizes that were tried, in order. */
  tried: number[]
}

/** Trainers with room for `room` images: beyond it they throw, or end as a process does. */
function machine(room: number, how: 'throws' | 'dies' | 'hangs' = 'throws'): Machine {
  const tried: number[] = []
  const host = fakeTrainers((die) => ({
    load: () => fakeEngine('wasm'),
    bench: ({ config: { batchSize } }) => {
      tried.push(batchSize)
      if (batchSize <= room) return { stepMs: [1], waitMs: [0], loss: 1, peakRssBytes: 1 }
      if (how === 'hangs') return new Promise<never>(() => undefined)
      if (how === 'throws') throw full
      return die(fault)
    },
  }))
  return Object.assign(host, { tried })
}

const question = (batchSize: number): BatchQuestion => ({
  config: { ...defaultConfig, imageSize: 32, channels: 8, batchSize },
  engine: 'wasm',
  packed: '/packed',
  signal: new AbortController().signal,
  hasWorked: false,
})

it.each(['throws', 'dies'] as const)(
  'halves until it fits, each time in a fresh trainer that %s',
  async (how) => {
    const host = machine(30, how)
    const answer = await answerMemory(full, question(100), { host })
    expect(answer).toBeInstanceOf(BatchTooLarge)
    expect(answer).toMatchObject({
      code: 'out-of-memory',
      batchSize: 25,
      message: 'The memory is not enough for batches of 100 images.',
      hint: 'A batch size of 25 fits: it was tried just now. Start a new run with it.',
    })
    expect(host.tried).toEqual([50, 25])
    expect(host.alive).toBe(0)
  },
)

it('says so where not even one image fits', async () => {
  const host = machine(0)
  const answer = await answerMemory(full, question(4), { host })
  expect(answer).toMatchObject({
    code: 'out-of-memory',
    message: expect.stringContaining('one image at a time') as string,
  })
  expect(answer).not.toBeInstanceOf(BatchTooLarge)
  expect(host.tried).toEqual([2, 1])
})

it('a fault that comes with a smaller batch as well, or with none when tried again, stays what it was', async () => {
  expect(await answerMemory(fault, question(4), { host: machine(0, 'dies') })).toBe(fault)
  const host = machine(8)
  expect(await answerMemory(fault, question(8), { host })).toBe(fault)
  expect(host.tried).toEqual([4, 8])
})

it('a fault that comes with the whole batch only is about memory', async () => {
  expect(await answerMemory(fault, question(8), { host: machine(4, 'dies') })).toMatchObject({
    code: 'out-of-memory',
    batchSize: 4,
    message: expect.stringContaining('engine crashed with batches of 8 images') as string,
  })
})

it('a process that was ended for the memory of others may go on as it was', async () => {
  const answer = await answerMemory(ended, question(8), { host: machine(8) })
  expect(answer).not.toBeInstanceOf(BatchTooLarge)
  expect(answer).toMatchObject({ code: 'out-of-memory', message: ended.message })
  expect(answer.hint).toMatch(/^A batch size of 8 fits when it is tried now.*Resume the run\.$/)
})

it('a run that has worked before is not told to make its batches smaller', async () => {
  const host = machine(8)
  const answer = await answerMemory(full, { ...question(8), hasWorked: true }, { host })
  expect(answer).not.toBeInstanceOf(BatchTooLarge)
  expect(answer).toMatchObject({ code: 'out-of-memory', message: full.message })
  expect(answer.hint).toMatch(/Resume the run\.$/)
  expect(host.tried).toEqual([4, 8])
})

it('a batch of one image is tried before it is called too large', async () => {
  const host = machine(1)
  expect((await answerMemory(ended, question(1), { host })).hint).toMatch(/Resume the run\.$/)
  expect(host.tried).toEqual([1])
  const none = await answerMemory(ended, question(1), { host: machine(0) })
  expect(none.message).toContain('one image at a time')
})

it('gives an estimate, and says so, where trying takes too long', async () => {
  const host = machine(0, 'hangs')
  const large = { ...question(1024), config: { ...question(1024).config, imageSize: 256, channels: 512 } }
  const answer = await answerMemory(full, large, { host, limitMs: 20 })
  if (!(answer instanceof BatchTooLarge)) throw new Error(`No batch size: ${answer.message}`)
  const { batchSize } = answer
  expect(answer.hint).toBe(`By estimate, a batch size of ${batchSize} fits. Start a new run with it.`)
  const needs = (size: number): number => estimateMemory({ ...large.config, batchSize: size }, large.engine)
  expect(needs(batchSize)).toBeLessThan(0.7 * totalmem())
  // The largest of the halves that the estimate allows, and smaller than what was found too large.
  if (batchSize < 512) expect(needs(batchSize * 2)).toBeGreaterThan(0.7 * totalmem())
  expect(host.alive).toBe(0)
})

it('other errors, and a run that was stopped, pass as they are', async () => {
  const host = machine(1)
  const other = new GyreError('diverged', 'The loss became infinite.')
  expect(await answerMemory(other, question(8), { host })).toBe(other)
  expect(await answerMemory(full, { ...question(8), signal: AbortSignal.abort() }, { host })).toBe(full)
  // A driver's fault says nothing about the machine's memory.
  expect(await answerMemory(fault, { ...question(8), engine: 'webgpu' }, { host })).toBe(fault)
  expect(host.tried).toEqual([])
})
