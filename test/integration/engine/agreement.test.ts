import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { installEngine, loadEngine, type Engine, type EngineId } from '#main/engine/index'

// The same computation on TensorFlow and on WASM: everything that the networks train with, values and gradients.

beforeAll(async () => {
  await installEngine('tensorflow-cpu')
}, 600_000)

type Numbers = Float32Array | Int32Array
type Layer = (...inputs: tf.Tensor[]) => tf.Tensor

async function on<T>(id: EngineId, work: (engine: Engine) => T): Promise<T> {
  const engine = await loadEngine(id)
  try {
    return tf.tidy<never>(() => work(engine) as never)
  } finally {
    engine.close()
  }
}

function numbers(count: number, seed: number): Float32Array {
  let state = seed >>> 0
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

/** The layer's value and the gradient of each input, for fixed inputs and a fixed incoming gradient. */
function run(layer: Layer, shapes: number[][], seed: number): Numbers[] {
  const inputs = shapes.map((shape, i) => tf.tensor(numbers(tf.util.sizeFromShape(shape), seed + i), shape))
  const value = layer(...inputs)
  const dy = tf.tensor(numbers(value.size, seed + 99), value.shape)
  return [value, ...tf.grads(layer)(inputs, dy)].map((tensor) => tensor.dataSync<'float32'>())
}

function expectClose(found: Numbers[], expected: Numbers[], limit: number): void {
  expect(found.length).toBe(expected.length)
  for (const [k, values] of expected.entries()) {
    const other = found[k] ?? new Float32Array()
    expect(other.length).toBe(values.length)
    let worst = 0
    let largest = 1e-6
    values.forEach((value, i) => {
      worst = Math.max(worst, Math.abs((other[i] ?? NaN) - value) || 0)
      largest = Math.max(largest, Math.abs(value))
      expect(Number.isFinite(other[i])).toBe(Number.isFinite(value))
    })
    expect(worst / largest).toBeLessThanOrEqual(limit)
  }
}

const four = (x: tf.Tensor): tf.Tensor4D => x as tf.Tensor4D

function groupNorm(x: tf.Tensor, scale: tf.Tensor): tf.Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape
  const grouped = tf.reshape(x, [n, h * w, 4, c / 4])
  const { mean, variance } = tf.moments(grouped, [1, 3], true)
  const normal = tf.mul(tf.sub(grouped, mean), tf.rsqrt(tf.add(variance, 1e-6)))
  return tf.mul(tf.reshape(normal, x.shape), scale)
}

function attention(x: tf.Tensor, weights: tf.Tensor): tf.Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape
  const flat = tf.reshape(x, [n, h * w, c])
  const query = tf.reshape(tf.matMul(tf.reshape(flat, [-1, c]), weights), flat.shape)
  const scores = tf.softmax(tf.mul(tf.matMul(query, flat, false, true), c ** -0.5))
  return tf.reshape(tf.matMul(scores, flat), x.shape)
}

const layers: Record<string, { layer: Layer; shapes: number[][] }> = {
  'convolution 4×4, stride 2': {
    layer: (x, w) => tf.conv2d(four(x), four(w), 2, 'same'),
    shapes: [
      [2, 16, 16, 3],
      [4, 4, 3, 8],
    ],
  },
  'convolution 3×3, padded below and right, stride 2': {
    layer: (x, w) =>
      tf.conv2d(
        tf.pad(four(x), [
          [0, 0],
          [0, 1],
          [0, 1],
          [0, 0],
        ]),
        four(w),
        2,
        'valid',
      ),
    shapes: [
      [2, 8, 8, 4],
      [3, 3, 4, 6],
    ],
  },
  'transposed convolution 4×4, stride 2': {
    layer: (x, w) => tf.conv2dTranspose(four(x), four(w), [2, 16, 16, 3], 2, 'same'),
    shapes: [
      [2, 8, 8, 6],
      [4, 4, 3, 6],
    ],
  },
  'bias and ReLU': { layer: (x, b) => tf.relu(tf.add(x, b)), shapes: [[2, 8, 8, 4], [4]] },
  SiLU: { layer: (x) => tf.mul(x, tf.sigmoid(x)), shapes: [[2, 8, 8, 4]] },
  'GroupNorm by moments': { layer: groupNorm, shapes: [[2, 8, 8, 16], [16]] },
  attention: {
    layer: attention,
    shapes: [
      [2, 4, 4, 8],
      [8, 8],
    ],
  },
  'nearest up-sampling': {
    layer: (x) => tf.image.resizeNearestNeighbor(four(x), [16, 16]),
    shapes: [[2, 8, 8, 4]],
  },
  'zero padding': {
    layer: (x) =>
      tf.pad(four(x), [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
      ]),
    shapes: [[2, 5, 5, 3]],
  },
  'linear, normalised rows': {
    layer: (x, w) => {
      const y = tf.matMul(x, w)
      return tf.div(y, tf.sqrt(tf.add(tf.sum(tf.square(y), 1, true), 1e-8)))
    },
    shapes: [
      [50, 8],
      [8, 12],
    ],
  },
  'gather and scatter': {
    layer: (codes) => tf.gather(codes, tf.tensor1d([3, 0, 3, 5, 1, 3], 'int32')),
    shapes: [[6, 4]],
  },
  'mean square, absolute value, logarithm': {
    layer: (x, y) => {
      const d = tf.sub(x, y)
      return tf.add(tf.mean(tf.square(d)), tf.mean(tf.log1p(tf.abs(d))))
    },
    shapes: [
      [4, 30],
      [4, 30],
    ],
  },
  'clipping by the global norm': {
    layer: (x, y) => {
      const norm = tf.sqrt(tf.add(tf.sum(tf.square(x)), tf.sum(tf.square(y))))
      const factor = tf.minimum(tf.div(1, norm), 1)
      return tf.concat([tf.mul(x, factor), tf.clipByValue(y, -0.5, 0.5)], 0)
    },
    shapes: [
      [3, 4],
      [5, 4],
    ],
  },
}

describe('values and gradients agree', () => {
  test.each(Object.keys(layers))('%s', async (name) => {
    const { layer, shapes } = layers[name] ?? { layer: () => tf.scalar(0), shapes: [] }
    const expected = await on('tensorflow-cpu', () => run(layer, shapes, 7))
    const found = await on('wasm', () => run(layer, shapes, 7))
    expect(expected.length).toBeGreaterThan(1)
    expectClose(found, expected, 1e-4)
  })

  test('convolutions of any size', async () => {
    const small = fc.integer({ min: 1, max: 6 })
    const cases = fc.sample(
      fc.record({
        side: fc.tuple(fc.integer({ min: 5, max: 20 }), fc.integer({ min: 5, max: 20 })),
        filter: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
        stride: fc.integer({ min: 1, max: 3 }),
        channels: fc.tuple(small, small),
        pad: fc.constantFrom('valid' as const, 'same' as const),
        seed: fc.nat(),
      }),
      { numRuns: 60, seed: 5 },
    )
    const all = (): Numbers[] =>
      cases.flatMap(({ side, filter: [k, l], stride, channels, pad, seed }) =>
        tf.tidy(() => {
          // tfjs's forward convolution on WASM is wrong where the stride is greater than the window, or not square.
          const window = [Math.max(k, stride), Math.max(l, stride)]
          const layer: Layer = (x, w) => tf.conv2d(four(x), four(w), stride, pad)
          return run(
            layer,
            [
              [2, ...side, channels[0]],
              [...window, ...channels],
            ],
            seed,
          ) as never
        }),
      )
    const expected = await on('tensorflow-cpu', all)
    expectClose(await on('wasm', all), expected, 1e-4)
  })

  test('the nearest code, also among equal ones', async () => {
    const nearest = (): Numbers[] => {
      const values = numbers(40 * 16, 3)
      values.copyWithin(16, 0, 16)
      const distances = tf.tensor2d(values, [40, 16])
      return [tf.argMin(distances, 1).dataSync<'int32'>(), tf.argMin(tf.zeros([3, 9]), 1).dataSync<'int32'>()]
    }
    const expected = await on('tensorflow-cpu', nearest)
    expectClose(await on('wasm', nearest), expected, 0)
  })
})

/** The nearest code of each row, with the gradient scattered back to the codes. The indices must not be on the tape. */
const nearest = tf.customGrad((...inputs) => {
  const [z, codes, save] = inputs as unknown as [tf.Tensor2D, tf.Tensor2D, tf.GradSaveFunc]
  const scores = tf.sub(tf.sum(tf.square(codes), 1), tf.mul(tf.matMul(z, codes, false, true), 2))
  const indices = tf.argMin(scores, 1)
  save([indices])
  const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => [
    tf.zerosLike(dy),
    tf.unsortedSegmentSum(dy, saved[0] as tf.Tensor1D, 16),
  ]
  return { value: tf.gather(codes, indices), gradFunc }
})

test('ten Adam steps of a small autoencoder with a codebook stay together', async () => {
  const steps = (): number[] => {
    const shapes = { a: [4, 4, 3, 8], b: [4, 4, 8, 8], codes: [16, 8], c: [4, 4, 8, 8], d: [4, 4, 3, 8] }
    const names = Object.keys(shapes) as (keyof typeof shapes)[]
    const initial = (name: keyof typeof shapes, i: number): tf.Tensor =>
      tf.mul(tf.tensor(numbers(tf.util.sizeFromShape(shapes[name]), i), shapes[name]), 0.15)
    const weights = Object.fromEntries(names.map((name, i) => [name, tf.variable(initial(name, i))]))
    const get = (name: keyof typeof shapes): tf.Tensor4D => weights[name] as unknown as tf.Tensor4D
    const images = tf.tensor4d(numbers(2 * 16 * 16 * 3, 50), [2, 16, 16, 3])
    const loss = (): tf.Scalar => {
      const h = tf.relu(tf.conv2d(images, get('a'), 2, 'same'))
      const z = tf.reshape(tf.conv2d(h, get('b'), 2, 'same'), [-1, 8])
      const codes = get('codes') as unknown as tf.Tensor2D
      const q = nearest(z, codes)
      const up = tf.relu<tf.Tensor4D>(
        tf.conv2dTranspose(
          tf.reshape<tf.Rank.R4>(tf.add(q, z), [2, 4, 4, 8]),
          get('c'),
          [2, 8, 8, 8],
          2,
          'same',
        ),
      )
      const out = tf.conv2dTranspose(up, get('d'), [2, 16, 16, 3], 2, 'same')
      return tf.add(tf.mean(tf.squaredDifference(out, images)), tf.mean(tf.squaredDifference(z, q)))
    }
    const moments = names.map(
      (name) => [tf.variable(tf.zeros(shapes[name])), tf.variable(tf.zeros(shapes[name]))] as const,
    )
    return Array.from({ length: 10 }, (_, step) => {
      const { value, grads } = tf.variableGrads(loss)
      for (const [i, name] of names.entries()) {
        const variable = weights[name]
        const gradient = grads[variable?.name ?? '']
        const [m, v] = moments[i] ?? []
        if (!variable || !gradient || !m || !v) throw new Error(`No gradient for ${name}`)
        m.assign(tf.add(tf.mul(m, 0.9), tf.mul(gradient, 0.1)))
        v.assign(tf.add(tf.mul(v, 0.99), tf.mul(tf.square(gradient), 0.01)))
        const mean = tf.div(m, 1 - 0.9 ** (step + 1))
        const root = tf.sqrt(tf.div(v, 1 - 0.99 ** (step + 1)))
        variable.assign(tf.sub(variable, tf.mul(tf.div(mean, tf.add(root, 1e-8)), 3e-3)))
      }
      return value.dataSync()[0] ?? NaN
    })
  }
  const expected = await on('tensorflow-cpu', steps)
  const found = await on('wasm', steps)
  expect(expected[9]).toBeLessThan(expected[0] ?? 0)
  for (const [i, value] of expected.entries())
    expect(Math.abs((found[i] ?? NaN) / value - 1)).toBeLessThan(1e-3)
})
