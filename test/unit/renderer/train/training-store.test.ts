// @vitest-environment happy-dom
// The watched run over a real RPC in memory: nothing is lost while records are fetched nor over a lost
// connection, and other runs do not mix in.
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { MetricsRecord, TrainRecord } from '#shared/contract/files'
import { contract, type GyreContract } from '#shared/contract/index'
import { createHub, memoryPair, type Hub } from '#shared/rpc/index'
import { connect } from '../../../../src-renderer/api/client'
import { useTrainingStore } from '../../../../src-renderer/stores/training'
import { fakeRun } from '../../../support/fake-data'
import { createFakeService } from '../../../support/fake-service'

const train = (step: number, loss = step): TrainRecord => ({
  kind: 'train',
  step,
  epoch: 0,
  trainedMs: step,
  loss,
  mse: step,
  commitmentLoss: 0,
  quantizationError: 0,
  learningRate: 0,
  gradientNorm: 0,
  stepsPerSecond: 0,
  imagesPerSecond: 0,
  dataWaitFraction: 0,
})

let hub: Hub<GyreContract>
/** What the service has on disk. */
let recorded: MetricsRecord[]
let asked: number[]
let online: boolean
/** Lets a test hold back the answer to `metrics`. */
let beforeAnswer: () => Promise<void>
let close: () => void

beforeEach(() => {
  setActivePinia(createPinia())
  recorded = [train(1), train(2)]
  asked = []
  online = true
  beforeAnswer = () => Promise.resolve()
  const { handlers } = createFakeService()
  const step = (): number => recorded.at(-1)?.step ?? 0
  hub = createHub(contract, {
    ...handlers,
    runs: {
      ...handlers.runs,
      get: ({ id }) => fakeRun({ id, step: step() }),
      metrics: async ({ id, afterStep }) => {
        asked.push(afterStep)
        const answer = id === 'run-1' ? recorded.filter((record) => record.step > afterStep) : []
        await beforeAnswer()
        return answer
      },
    },
  })
  const connection = connect(() => {
    if (!online) return Promise.reject(new Error('unreachable'))
    const [near, far] = memoryPair()
    hub.attach(far)
    return Promise.resolve(near)
  })
  close = () => connection.close()
})
afterEach(() => close())

/** Trains on: on disk, and to whoever listens. */
function emit(...records: TrainRecord[]): void {
  for (const record of records) {
    recorded = [...recorded.filter(({ step }) => step < record.step), record]
    hub.emit('runs', 'onRecord', { id: 'run-1', record })
  }
}

type Training = ReturnType<typeof useTrainingStore>
const steps = (training: Training): number[] => [...training.curves.series.column('step')]

async function attached(): Promise<Training> {
  const training = useTrainingStore()
  training.attach('run-1')
  await vi.waitFor(() => expect(training.loaded).toBe(true))
  return training
}

describe('the training store', () => {
  it('loads what is recorded, follows what comes, and ignores other runs', async () => {
    const training = await attached()
    expect(steps(training)).toEqual([1, 2])
    hub.emit('runs', 'onRecord', { id: 'run-2', record: train(77) })
    emit(train(3), train(4))
    await vi.waitFor(() => expect(steps(training)).toEqual([1, 2, 3, 4]))
    expect(asked).toEqual([-1])
  })

  it('keeps what arrives while the older records are on their way', async () => {
    const training = useTrainingStore()
    let answer = (): void => undefined
    beforeAnswer = () => new Promise((resolve) => (answer = resolve))
    training.attach('run-1')
    await vi.waitFor(() => expect(asked).toHaveLength(1))
    emit(train(3), train(4))
    answer()
    await vi.waitFor(() => expect(steps(training)).toEqual([1, 2, 3, 4]))
  })

  it('fetches what it missed after the connection was lost', async () => {
    const training = await attached()
    online = false
    hub.close()
    emit(train(3), train(4))
    online = true
    await vi.waitFor(() => expect(steps(training)).toEqual([1, 2, 3, 4]), { timeout: 5000 })
    // Only from the last known step on.
    expect(asked).toEqual([-1, 1])
    emit(train(5))
    await vi.waitFor(() => expect(steps(training).at(-1)).toBe(5))
  })

  it('reads a run anew that went back to a checkpoint meanwhile', async () => {
    const training = await attached()
    emit(train(3), train(4))
    await vi.waitFor(() => expect(steps(training)).toHaveLength(4))
    online = false
    hub.close()
    recorded = [train(1), train(2, 99)]
    online = true
    await vi.waitFor(() => expect(steps(training)).toEqual([1, 2]), { timeout: 5000 })
    expect(training.curves.series.column('loss')[1]).toBe(99)
  })

  it('forgets one run for another', async () => {
    const training = await attached()
    training.attach('run-2')
    await vi.waitFor(() => expect(training.loaded).toBe(true))
    expect(steps(training)).toEqual([])
  })
})
