// The search at its largest: 65,536 codes of 32 numbers and as many vectors as GYRE_SEARCH_VECTORS says (262,144 is the
// promise; fewer by default, by the same chunks). Runs in a process of its own, as every test file does, and reads that
// process's peak.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { loadEngine } from '#main/engine/index'
import { nearestCodes } from '#main/model/quantize/search'
import { createRandom } from '#main/model/random'

const vectorCount = Number(process.env['GYRE_SEARCH_VECTORS'] ?? 8192)
const [codeCount, dim] = [65_536, 32]

function uniform(count: number, seed: number): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: count * dim }, () => 2 * random.uniform() - 1)
}

test(`${vectorCount} vectors among ${codeCount} codes take less than 1 GB more`, async () => {
  const engine = await loadEngine('auto')
  if (engine.id === 'wasm') console.warn('No TensorFlow engine: the figure is that of WASM.')
  const codes = uniform(codeCount, 1)
  const vectors = uniform(vectorCount, 2)
  // Every hundredth vector is a code exactly, so its answer is known.
  for (let i = 0; i < vectorCount; i += 100)
    vectors.set(codes.subarray(((i * 31) % codeCount) * dim, (((i * 31) % codeCount) + 1) * dim), i * dim)
  const [z, book] = [tf.tensor2d(vectors, [vectorCount, dim]), tf.tensor2d(codes, [codeCount, dim])]
  // The first use of a kernel sets memory aside once; that is not the search's.
  tf.tidy(() => nearestCodes(tf.slice(z, [0, 0], [64, dim]), tf.slice(book, [0, 0], [64, dim])).dataSync())
  const before = process.memoryUsage().rss
  const startedAt = performance.now()
  const indices = nearestCodes(z, book)
  const found = indices.dataSync()
  const seconds = (performance.now() - startedAt) / 1000
  const extraBytes = process.resourceUsage().maxRSS * 1024 - before
  console.info(`${engine.id}: ${(extraBytes / 1e6).toFixed(0)} MB more at the peak, ${seconds.toFixed(1)} s`)
  for (let i = 0; i < vectorCount; i += 100) expect(found[i]).toBe((i * 31) % codeCount)
  expect(extraBytes).toBeLessThan(1e9)
  tf.dispose([z, book, indices])
}, 1_200_000)
