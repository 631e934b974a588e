// The end of WebAssembly's memory is an error, and what was there before is still right after it.
import { expect, test } from 'vitest'
import { loadEngine } from '#main/engine/index'

test('what does not fit is refused, and spoils nothing', async () => {
  const engine = await loadEngine('wasm')
  const { tf } = engine
  const before = tf.tensor1d([1, 2, 3])
  // All that addresses of 32 bits reach but for 3 kB, which is less than the build itself takes.
  expect(() => tf.fill([1_073_741_000], 1)).toThrow(
    expect.objectContaining({ code: 'out-of-memory' }) as Error,
  )
  expect([...tf.square(before).dataSync()]).toEqual([1, 4, 9])
  engine.close()
})
