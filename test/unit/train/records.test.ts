import { expect, test } from 'vitest'
import { RecordAverages, recordInterval } from '#main/train/records'

test('records come about ten times a second at most, by the size of a batch alone', () => {
  // The comparison's settings take 60 to 90 ms a step here.
  expect(recordInterval({ batchSize: 32, imageSize: 64 })).toBe(2)
  expect(recordInterval({ batchSize: 16, imageSize: 256 })).toBe(1)
  expect(recordInterval({ batchSize: 1, imageSize: 8 })).toBe(100)
})

test('a record averages the steps since the last one, whatever was stored in between', () => {
  const figures = { mse: 1, commitmentLoss: 2, codebookLoss: 3, quantizationError: 4, gradientNorm: 5 }
  const first = new RecordAverages(false)
  first.add({ ...figures, loss: 0.1 }, 8, 50, 10)
  const second = new RecordAverages(false, first.sums)
  second.add({ ...figures, loss: 0.4 }, 8, 100, 25)
  const context = { step: 2, epoch: 0.5, trainedMs: 150, learningRate: 0.01, window: null }
  expect(second.take(context)).toEqual({
    kind: 'train',
    step: 2,
    epoch: 0.5,
    trainedMs: 150,
    learningRate: 0.01,
    loss: 0.25,
    mse: 1,
    commitmentLoss: 2,
    quantizationError: 4,
    gradientNorm: 5,
    // Speed is of this process alone.
    stepsPerSecond: 10,
    imagesPerSecond: 80,
    dataWaitFraction: 0.25,
  })
  expect(second.sums.steps).toBe(0)
  const trained = new RecordAverages(true)
  trained.add({ ...figures, loss: 1 }, 8, 100, 0)
  expect(trained.take(context).codebookLoss).toBe(3)
})
