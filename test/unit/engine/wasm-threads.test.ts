// The threaded WebAssembly build: it runs on the cores that are there, gives the numbers of one thread.
import os from 'node:os'
import * as tf from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { loadEngine } from '#main/engine/index'

const cores = Math.min(os.availableParallelism(), 8)

/** The numbers of a convolution and a product that are large enough to be shared out. */
function results(): number[] {
  return tf.tidy(() => {
    const x = tf.randomNormal<tf.Rank.R4>([4, 24, 24, 16], 0, 1, 'float32', 1)
    const filter = tf.randomNormal<tf.Rank.R4>([3, 3, 16, 32], 0, 1, 'float32', 2)
    const y = tf.conv2d(x, filter, 1, 'same') // [4, 24, 24, 32]
    const rows = tf.reshape(y, [-1, 32]) // [2304, 32]
    return [...tf.matMul(rows, rows, true).dataSync(), ...tf.relu(y).dataSync()]
  })
}

it.skipIf(cores === 1)('computes on all cores, with the numbers of one', async () => {
  const engine = await loadEngine('wasm')
  expect(engine.device).toBe(`CPU, ${cores} threads`)
  const threaded = results()
  engine.close()

  const { availableParallelism: real } = os
  os.availableParallelism = () => 1
  try {
    const single = await loadEngine('wasm')
    expect(single.device).toBe('CPU, one thread')
    expect(results()).toEqual(threaded)
    single.close()
  } finally {
    os.availableParallelism = real
  }
})

it('leaves no name behind in the program', async () => {
  const engine = await loadEngine('wasm')
  expect('Worker' in globalThis).toBe(false)
  engine.close()
})
