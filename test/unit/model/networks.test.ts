// The networks: sizes as published, layers as PyTorch computes them (naive loops in float64), gradients of whole
// networks by differences, and a description that agrees with what is built.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { defaultConfig, type RunConfig } from '#shared/config/schema'
import { describeNetwork } from '#main/model/describe'
import { groupCount, runLayers } from '#main/model/layers'
import { createModel } from '#main/model/model'
import { networkOf } from '#main/model/networks/index'
import { createRandom } from '#main/model/random'
import { parametersOf, type Layer } from '#main/model/spec'
import { relativeError } from '../../support/golden'
import { startTestEngine } from '../../support/model-engine'

beforeAll(async () => {
  await startTestEngine()
})

const random = createRandom(11)
const numbers = (count: number): number[] =>
  Array.from({ length: count }, () => Math.fround(2 * random.uniform() - 1))

describe('published sizes', () => {
  const cnn = { ...defaultConfig, network: 'cnn' as const }
  const table: [string, Partial<RunConfig>, number, number, number][] = [
    [
      'f16',
      {
        imageSize: 256,
        channels: 128,
        channelMultipliers: [1, 1, 2, 2, 4],
        residualBlocks: 2,
        attention: [16],
        codeDim: 32,
      },
      29.3,
      42.5,
      1,
    ],
    [
      'f4',
      { imageSize: 256, channels: 128, channelMultipliers: [1, 2, 4], residualBlocks: 2, codeDim: 3 },
      22.3,
      33.0,
      1,
    ],
    [
      'f8',
      {
        imageSize: 256,
        channels: 128,
        channelMultipliers: [1, 2, 2, 4],
        residualBlocks: 2,
        attention: [32],
        codeDim: 4,
      },
      27.4,
      40.3,
      1,
    ],
    [
      'small f8',
      { imageSize: 64, channels: 32, channelMultipliers: [1, 2, 2, 4], residualBlocks: 1, attention: [8] },
      1.23,
      2.03,
      2,
    ],
    [
      'small f4',
      { imageSize: 64, channels: 32, channelMultipliers: [1, 2, 4], residualBlocks: 1 },
      1.05,
      1.71,
      2,
    ],
  ]
  test.each(table)('%s', (_, change, encoder, decoder, digits) => {
    const found = describeNetwork({ ...cnn, ...change })
    expect((found.encoderParameters / 1e6).toFixed(digits)).toBe(encoder.toFixed(digits))
    expect((found.decoderParameters / 1e6).toFixed(digits)).toBe(decoder.toFixed(digits))
  })

  test('tokens', () => {
    const f16 = { ...cnn, imageSize: 256, channelMultipliers: [1, 1, 2, 2, 4] }
    expect(networkOf(f16).tokens).toEqual([16, 16])
    expect(networkOf({ ...cnn, imageSize: 256 }).tokens).toEqual([64, 64])
    expect(networkOf(defaultConfig).tokens).toEqual([16, 16])
  })

  test('an image that cannot be halved often enough is refused', () => {
    expect(() => networkOf({ ...cnn, imageSize: 12, channelMultipliers: [1, 1, 1, 1] })).toThrow(
      /cannot be halved 3 times/,
    )
  })
})

/** One layer's parameters as tensors, weights in tfjs's layout. */
function tensorsOf(layers: Layer[]): Map<string, tf.Tensor> {
  return new Map(
    parametersOf(layers).map(({ name, shape }) => [
      name,
      tf.tensor(numbers(shape.reduce((a, b) => a * b, 1)), shape),
    ]),
  )
}

interface Grid {
  size: number
  channels: number
  values: number[]
}

const at = ({ size, channels, values }: Grid, y: number, x: number, c: number): number =>
  y < 0 || x < 0 || y >= size || x >= size ? 0 : (values[(y * size + x) * channels + c] ?? NaN)

/** PyTorch's Conv2d by its definition: out(y,x) = b + Σ in(s·y + i − p, s·x + j − p)·w, zeros outside. */
function plainConv(
  input: Grid,
  w: number[],
  b: number[],
  kernel: number,
  stride: number,
  pad: number,
  size: number,
): number[] {
  const out = b.length
  const result: number[] = []
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++)
      for (let o = 0; o < out; o++) {
        let sum = b[o] ?? NaN
        for (let i = 0; i < kernel; i++)
          for (let j = 0; j < kernel; j++)
            for (let c = 0; c < input.channels; c++)
              sum +=
                at(input, stride * y + i - pad, stride * x + j - pad, c) *
                (w[((i * kernel + j) * input.channels + c) * out + o] ?? NaN)
        result.push(sum)
      }
  return result
}

/** PyTorch's ConvTranspose2d(4, stride 2, padding 1): every input pixel adds its kernel at 2y + i − 1. */
function plainTransposed(input: Grid, w: number[], b: number[]): number[] {
  const out = b.length
  const size = 2 * input.size
  const result = Array.from({ length: size * size }, () => b).flat()
  for (let y = 0; y < input.size; y++)
    for (let x = 0; x < input.size; x++)
      for (let i = 0; i < 4; i++)
        for (let j = 0; j < 4; j++) {
          const [ty, tx] = [2 * y + i - 1, 2 * x + j - 1]
          if (ty < 0 || tx < 0 || ty >= size || tx >= size) continue
          for (let o = 0; o < out; o++)
            for (let c = 0; c < input.channels; c++) {
              const index = (ty * size + tx) * out + o
              result[index] =
                (result[index] ?? NaN) +
                at(input, y, x, c) * (w[((i * 4 + j) * out + o) * input.channels + c] ?? NaN)
            }
        }
  return result
}

describe('layers are PyTorch’s', () => {
  const size = 8
  const grid: Grid = { size, channels: 3, values: numbers(size * size * 3) }
  const input = (): tf.Tensor4D => tf.tensor4d(grid.values, [1, size, size, 3])
  const values = (tensors: Map<string, tf.Tensor>, name: string): number[] => [
    ...(tensors.get(name)?.dataSync() ?? []),
  ]

  test.each([
    ['3×3, padding 1', 3, 1, 1],
    ['4×4, stride 2, padding 1', 4, 2, 1],
    ['1×1', 1, 1, 0],
    // Padded by one zero at the bottom and the right only.
    ['3×3, stride 2, as the paper’s Down', 3, 2, 0],
  ] as const)('convolution %s', (_, kernel, stride, pad) => {
    const layers: Layer[] = [{ kind: 'conv', name: 'c', in: 3, out: 5, kernel, stride }]
    const tensors = tensorsOf(layers)
    const expected = plainConv(
      grid,
      values(tensors, 'c.weight'),
      values(tensors, 'c.bias'),
      kernel,
      stride,
      pad,
      size / stride,
    )
    expect(relativeError(runLayers(tensors, layers, input()), expected)).toBeLessThan(2e-6)
  })

  test('transposed convolution 4×4, stride 2, padding 1', () => {
    const layers: Layer[] = [{ kind: 'conv-transpose', name: 't', in: 3, out: 2 }]
    const tensors = tensorsOf(layers)
    const expected = plainTransposed(grid, values(tensors, 't.weight'), values(tensors, 't.bias'))
    const output = runLayers(tensors, layers, input())
    expect(output.shape).toEqual([1, 16, 16, 2])
    expect(relativeError(output, expected)).toBeLessThan(2e-6)
  })

  test('upsampling repeats every pixel', () => {
    const output = runLayers(new Map(), [{ kind: 'upsample' }], input())
    const expected = Array.from({ length: 16 * 16 * 3 }, (_, k) => {
      const [y, x, c] = [Math.floor(k / 48), Math.floor((k % 48) / 3), k % 3]
      return at(grid, y >> 1, x >> 1, c)
    })
    expect([...output.dataSync()]).toEqual(expected)
  })

  test('attention mixes values by the softmax of q·k/√c', () => {
    const layer: Layer = { kind: 'attention', name: 'a', channels: 4 }
    const tensors = tensorsOf([layer])
    const x = numbers(2 * 2 * 4)
    const get = (name: string): number[] => values(tensors, `a.${name}`)
    const linear = (rows: number[][], name: string): number[][] =>
      rows.map((row) =>
        get(`${name}.bias`).map((b, o) =>
          row.reduce((sum, v, i) => sum + v * (get(`${name}.weight`)[i * 4 + o] ?? NaN), b),
        ),
      )
    const rows = [0, 1, 2, 3].map((i) => x.slice(4 * i, 4 * i + 4))
    // Four channels in four groups: each channel is normalised over the positions.
    const normalised = rows.map((row) =>
      row.map((v, c) => {
        const column = rows.map((r) => r[c] ?? NaN)
        const mean = column.reduce((a, b) => a + b) / 4
        const variance = column.reduce((sum, u) => sum + (u - mean) ** 2, 0) / 4
        return (
          ((v - mean) / Math.sqrt(variance + 1e-6)) * (get('group_norm.weight')[c] ?? NaN) +
          (get('group_norm.bias')[c] ?? NaN)
        )
      }),
    )
    const [q, k, v] = ['to_q', 'to_k', 'to_v'].map((name) => linear(normalised, name)) as [
      number[][],
      number[][],
      number[][],
    ]
    const mixed = q.map((query) => {
      const weights = k.map((key) => Math.exp(query.reduce((sum, a, i) => sum + a * (key[i] ?? NaN), 0) / 2))
      const total = weights.reduce((a, b) => a + b)
      return [0, 1, 2, 3].map((c) => weights.reduce((sum, w, i) => sum + (w / total) * (v[i]?.[c] ?? NaN), 0))
    })
    const expected = linear(mixed, 'to_out.0').map((row, i) => row.map((y, c) => y + (rows[i]?.[c] ?? NaN)))
    expect(relativeError(runLayers(tensors, [layer], tf.tensor4d(x, [1, 2, 2, 4])), expected)).toBeLessThan(
      5e-6,
    )
  })

  test('groups divide the channels, 32 at most', () => {
    expect([8, 32, 40, 128, 512].map(groupCount)).toEqual([8, 32, 20, 32, 32])
  })
})

const small: RunConfig = {
  ...defaultConfig,
  imageSize: 8,
  channels: 16,
  channelMultipliers: [1, 2],
  residualBlocks: 1,
  codeDim: 4,
  codebookSize: 8,
}

describe.each([
  ['quick', small],
  ['cnn', { ...small, network: 'cnn', attention: [8] }],
  ['cnn, cosine', { ...small, network: 'cnn', distance: 'cosine' }],
] as [string, RunConfig][])('%s', (_, config) => {
  test('the gradient of encoder and decoder agrees with differences, tensor by tensor', () => {
    const model = createModel(config, 3)
    const x = tf.tensor4d(numbers(8 * 8 * 3), [1, 8, 8, 3])
    const weights = tf.tensor4d(numbers(8 * 8 * 3), [1, 8, 8, 3])
    const names = [...model.trainable.keys()]
    const start = names.map((name) => model.trainable.get(name) as tf.Tensor)
    const loss = (...tensors: tf.Tensor[]): tf.Scalar => {
      const parameters = new Map(names.map((name, i) => [name, tensors[i] as tf.Tensor]))
      const z = runLayers(parameters, model.network.encoder, x)
      return tf.sum(tf.mul(runLayers(parameters, model.network.decoder, z), weights))
    }
    const gradients = tf.grads(loss)(start)
    // Along its own gradient each tensor's slope is that gradient's length; along a wrong one it would be less.
    const h = 1e-3
    gradients.forEach((gradient, k) => {
      const length = tf.norm(gradient).dataSync()[0] ?? NaN
      const moved = (by: number): number => {
        const tensors = start.map((t, i) => (i === k ? tf.add(t, tf.mul(gradient, by / length)) : t))
        return loss(...tensors).dataSync()[0] ?? NaN
      }
      const slope = length > 0 ? (moved(h) - moved(-h)) / (2 * h) : 0
      expect(Math.abs(slope - length), names[k]).toBeLessThan(0.02 * length + 0.1)
    })
  }, 60_000)

  test('the description is what is built', () => {
    const model = createModel(config, 1)
    const description = describeNetwork(config)
    const built = [...model.trainable.values()].reduce((sum, t) => sum + t.size, model.codebook().size)
    expect(description.parameters).toBe(built)
    expect(model.parameterCount).toBe(built)
    const z = model.encode(tf.zeros([1, 8, 8, 3]))
    const last = (part: string): number[] | undefined =>
      description.layers.filter((l) => l.part === part).at(-1)?.shape
    expect(z.shape.slice(1)).toEqual(last('encoder'))
    expect(last('quantizer')).toEqual([...model.tokens, config.codeDim])
    expect(model.decode(z).shape.slice(1)).toEqual(last('decoder'))
  })

  test('weights repeat by seed and start within ±1/√fan_in', () => {
    const [a, b, other] = [createModel(config, 9), createModel(config, 9), createModel(config, 10)]
    for (const [name, variable] of a.trainable) {
      expect(b.trainable.get(name)?.dataSync()).toEqual(variable.dataSync())
    }
    expect(other.codebook().dataSync()).not.toEqual(a.codebook().dataSync())
    const first = [...a.trainable.values()][0]
    const largest = Math.max(...(first?.dataSync() ?? []).map(Math.abs))
    const kernel = first?.shape[0] ?? 0
    expect(largest).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(3 * kernel ** 2)))
    expect(largest).toBeGreaterThan(0.9 / Math.sqrt(3 * kernel ** 2))
  })
})
