import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadEngine } from '#main/engine/index'

// Every kernel against the sum it stands for, written out in float64.

beforeAll(async () => {
  await loadEngine('wasm')
})

function numbers(count: number, seed: number): Float32Array {
  let state = seed >>> 0
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

const at = (values: ArrayLike<number>, i: number): number => values[i] ?? 0

function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(found.length).toBe(expected.length)
  let worst = 0
  let largest = 1e-6
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(at(found, i) - at(expected, i)))
    largest = Math.max(largest, Math.abs(at(expected, i)))
  }
  expect(worst / largest).toBeLessThan(1e-5)
}

interface Convolution {
  batch: number
  size: [number, number]
  filter: [number, number]
  stride: [number, number]
  channels: [number, number]
  pad: 'valid' | 'same' | number
  seed: number
}

const side = fc.integer({ min: 1, max: 9 })
const convolutions: fc.Arbitrary<Convolution> = fc
  .record<Convolution>({
    batch: fc.integer({ min: 1, max: 3 }),
    size: fc.tuple(side, side),
    filter: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    channels: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    pad: fc.constantFrom('valid' as const, 'same' as const, 0, 1, 2),
    seed: fc.nat(),
  })
  // With numeric padding tfjs itself works out wrong sizes for windows or strides that are not square.
  .map<Convolution>((c) =>
    typeof c.pad === 'string'
      ? c
      : { ...c, filter: [c.filter[0], c.filter[0]], stride: [c.stride[0], c.stride[0]] },
  )
  .filter(({ size, filter, pad }) => {
    const around = pad === 'same' ? 9 : pad === 'valid' ? 0 : pad
    return size.every((s, axis) => s + 2 * around >= (filter[axis] ?? 0))
  })

/** Padding before the first row: TensorFlow's rule for SAME. */
function padBefore(size: number, filter: number, stride: number, pad: Convolution['pad']): number {
  if (pad === 'valid') return 0
  if (pad !== 'same') return pad
  return Math.floor(Math.max(0, (Math.ceil(size / stride) - 1) * stride + filter - size) / 2)
}

function gradientsInFloat64(c: Convolution, x: Float32Array, w: Float32Array, dy: tf.Tensor4D) {
  const [height, width] = c.size
  const [k, l] = c.filter
  const [cin, cout] = c.channels
  const top = padBefore(height, k, c.stride[0], c.pad)
  const left = padBefore(width, l, c.stride[1], c.pad)
  const dyValues = dy.dataSync()
  const dx = new Float64Array(x.length)
  const dw = new Float64Array(w.length)
  for (let iy = 0; iy < dyValues.length; iy++) {
    const o = iy % cout
    const [n, i, j] = [
      Math.floor(iy / cout / dy.shape[2] / dy.shape[1]),
      Math.floor(iy / cout / dy.shape[2]) % dy.shape[1],
      Math.floor(iy / cout) % dy.shape[2],
    ]
    for (let a = 0; a < k; a++)
      for (let b = 0; b < l; b++) {
        const row = i * c.stride[0] + a - top
        const column = j * c.stride[1] + b - left
        if (row < 0 || column < 0 || row >= height || column >= width) continue
        for (let ch = 0; ch < cin; ch++) {
          const ix = ((n * height + row) * width + column) * cin + ch
          const iw = ((a * l + b) * cin + ch) * cout + o
          dx[ix] = at(dx, ix) + at(dyValues, iy) * at(w, iw)
          dw[iw] = at(dw, iw) + at(dyValues, iy) * at(x, ix)
        }
      }
  }
  return { dx, dw }
}

function checkConvolution(c: Convolution): void {
  tf.tidy(() => {
    const xShape: [number, number, number, number] = [c.batch, ...c.size, c.channels[0]]
    const wShape: [number, number, number, number] = [...c.filter, ...c.channels]
    const xValues = numbers(tf.util.sizeFromShape(xShape), c.seed)
    const wValues = numbers(tf.util.sizeFromShape(wShape), c.seed + 1)
    const [x, w] = [tf.tensor4d(xValues, xShape), tf.tensor4d(wValues, wShape)]
    const rounding = typeof c.pad === 'number' ? 'floor' : undefined
    const convolve = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
      tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, c.stride, c.pad, 'NHWC', 1, rounding)
    const shape = convolve(x, w).shape
    const dy = tf.tensor4d(numbers(tf.util.sizeFromShape(shape), c.seed + 2), shape as typeof xShape)
    const [dx, dw] = tf.grads(convolve)([x, w], dy)
    const expected = gradientsInFloat64(c, xValues, wValues, dy)
    expectClose(dx?.dataSync() ?? [], expected.dx)
    expectClose(dw?.dataSync() ?? [], expected.dw)
  })
}

describe('convolution gradients', () => {
  test('for any size, stride and padding', () => {
    fc.assert(fc.property(convolutions, checkConvolution), { numRuns: 300 })
  })

  test.each<Partial<Convolution>>([
    { size: [16, 16], filter: [4, 4], stride: [2, 2], pad: 'same', channels: [3, 8] },
    { size: [9, 9], filter: [3, 3], stride: [2, 2], pad: 'valid', channels: [8, 8] },
    { size: [8, 8], filter: [1, 1], stride: [1, 1], pad: 'same', channels: [16, 8] },
    { size: [7, 7], filter: [1, 1], stride: [3, 3], pad: 'valid', channels: [5, 2] },
  ])('of the layers that networks use: %j', (layer) => {
    checkConvolution({
      batch: 2,
      size: [8, 8],
      filter: [3, 3],
      stride: [1, 1],
      channels: [2, 2],
      pad: 'same',
      seed: 1,
      ...layer,
    })
  })

  test('a transposed convolution is the same sum as the gradient', () => {
    tf.tidy(() => {
      const y = tf.tensor4d(numbers(2 * 5 * 5 * 6, 1), [2, 5, 5, 6])
      const w = tf.tensor4d(numbers(4 * 4 * 3 * 6, 2), [4, 4, 3, 6])
      const up = tf.conv2dTranspose(y, w, [2, 10, 10, 3], 2, 'same')
      const c: Convolution = {
        batch: 2,
        size: [10, 10],
        filter: [4, 4],
        stride: [2, 2],
        channels: [3, 6],
        pad: 'same',
        seed: 0,
      }
      const { dx } = gradientsInFloat64(c, new Float32Array(600), w.dataSync() as Float32Array, y)
      expectClose(up.dataSync(), dx)
    })
  })
})

describe('matrix products', () => {
  const dimension = fc.integer({ min: 1, max: 7 })
  const cases = fc.record({
    size: fc.tuple(dimension, dimension, dimension),
    batchA: fc.constantFrom<number[][]>([], [1], [3], [2, 2]),
    shared: fc.boolean(),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    seed: fc.nat(),
  })

  test('for any transposition and batch', () => {
    fc.assert(
      fc.property(cases, ({ size: [m, k, n], batchA, shared, transposeA, transposeB, seed }) => {
        tf.tidy(() => {
          const batch = tf.util.sizeFromShape(batchA)
          const aValues = numbers(batch * m * k, seed)
          const bValues = numbers((shared ? 1 : batch) * k * n, seed + 1)
          const a = tf.tensor(aValues, [...batchA, ...(transposeA ? [k, m] : [m, k])])
          const b = tf.tensor(bValues, [...(shared ? [] : batchA), ...(transposeB ? [n, k] : [k, n])])
          const expected = new Float64Array(batch * m * n)
          for (let s = 0; s < batch; s++)
            for (let i = 0; i < m; i++)
              for (let j = 0; j < n; j++)
                for (let c = 0; c < k; c++) {
                  const ia = s * m * k + (transposeA ? c * m + i : i * k + c)
                  const ib = (shared ? 0 : s * k * n) + (transposeB ? j * k + c : c * n + j)
                  const to = (s * m + i) * n + j
                  expected[to] = at(expected, to) + at(aValues, ia) * at(bValues, ib)
                }
          const found = tf.matMul(a, b, transposeA, transposeB)
          expect(found.shape).toEqual([...batchA, m, n])
          expectClose(found.dataSync(), expected)
        })
      }),
      { numRuns: 200 },
    )
  })
})

test('sums by segment leave out ids that name no segment', () => {
  tf.tidy(() => {
    const x = tf.tensor2d([1, 2, 10, 20, 100, 200, 1000, 2000, 5, 5], [5, 2])
    const ids = tf.tensor1d([2, 0, 2, -1, 9], 'int32')
    expect([...tf.unsortedSegmentSum(x, ids, 4).dataSync()]).toEqual([10, 20, 0, 0, 101, 202, 0, 0])
  })
})

test('sums by segment for any shape', () => {
  const cases = fc.record({
    ids: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 40 }),
    inner: fc.constantFrom<number[][]>([], [1], [5], [2, 3]),
    seed: fc.nat(),
  })
  fc.assert(
    fc.property(cases, ({ ids, inner, seed }) => {
      tf.tidy(() => {
        const width = tf.util.sizeFromShape(inner)
        const values = numbers(ids.length * width, seed)
        const expected = new Float64Array(7 * width)
        values.forEach((value, i) => {
          const to = (ids[Math.floor(i / width)] ?? 0) * width + (i % width)
          expected[to] = at(expected, to) + value
        })
        const x = tf.tensor(values, [ids.length, ...inner])
        const sums = tf.unsortedSegmentSum(x, tf.tensor1d(ids, 'int32'), 7)
        expect(sums.shape).toEqual([7, ...inner])
        expectClose(sums.dataSync(), expected)
      })
    }),
  )
})

test('slices of any shape and type', () => {
  const axis = fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.nat(), fc.nat())
    .map(([length, b, s]) => ({ length, begin: b % length, size: s % (length - (b % length) + 1) }))
  const cases = fc.tuple(
    fc.array(axis, { minLength: 1, maxLength: 4 }),
    fc.constantFrom('float32', 'int32', 'bool'),
  )
  fc.assert(
    fc.property(cases, ([axes, dtype]) => {
      tf.tidy(() => {
        const shape = axes.map(({ length }) => length)
        const count = tf.util.sizeFromShape(shape)
        const values = Array.from({ length: count }, (_, i) => (dtype === 'bool' ? (i * 7) % 2 : i))
        const expected = values.filter((_, i) => {
          const strides = [...tf.util.computeStrides(shape), 1]
          return axes.every(({ length, begin, size }, a) => {
            const index = Math.floor(i / at(strides, a)) % length
            return index >= begin && index < begin + size
          })
        })
        const sizes = axes.map(({ size }) => size)
        const cut = tf.slice(
          tf.tensor(values, shape, dtype as 'int32'),
          axes.map(({ begin }) => begin),
          sizes,
        )
        expect(cut.shape).toEqual(sizes)
        expect([...cut.dataSync()].map(Number)).toEqual(expected)
      })
    }),
    { numRuns: 300 },
  )
})

test('slices of strings still work', () => {
  tf.tidy(() => {
    expect(tf.slice(tf.tensor1d(['a', 'b', 'c']), 1, 2).dataSync()).toEqual(['b', 'c'])
  })
})

test('nothing is left behind by any of them', () => {
  const x = tf.randomNormal<tf.Rank.R4>([2, 8, 8, 4])
  const w = tf.randomNormal<tf.Rank.R4>([4, 4, 4, 6])
  const ids = tf.tensor1d([0, 2, 1], 'int32')
  const work = (): void => {
    const gradients = tf.grads((a: tf.Tensor, b: tf.Tensor) =>
      tf.conv2d(a as typeof x, b as typeof w, 2, 'same'),
    )([x, w])
    tf.dispose(gradients)
    tf.dispose(tf.unsortedSegmentSum(tf.zeros([3, 2]), ids, 4))
    tf.tidy(() => {
      const m = tf.zeros([3, 4, 5])
      tf.slice(tf.matMul(m, m, true), [1, 0, 0], [1, 2, 3])
    })
  }
  const counts = [1, 2, 3, 4].map(() => {
    tf.tidy(work)
    const backend = tf.backend() as unknown as { numDataIds(): number }
    return [tf.memory().numTensors, tf.memory().numBytes, backend.numDataIds()].join()
  })
  expect(new Set(counts).size).toBe(1)
  tf.dispose([x, w, ids])
})
