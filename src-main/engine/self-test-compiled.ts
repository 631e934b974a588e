// The part of the examination for engines that run graphs: convolutions as a run compiles them, where the processor has them
// with Gyre's own operations, compared with float64.
import * as tf from '@tensorflow/tfjs-core'
import type { EngineCheck } from '#shared/contract/common'
import { Compiler, type Trace } from './compile/compiler'
import type { NativeGraph, Values } from './compile/session'
import { convolutionCase, difference, numbers, type ConvolutionCase } from './self-test-cases'

/** Sums of bfloat16 numbers, of which each is off by up to 2⁻⁹. */
const bfloat16Limit = 1e-2

/** Both kinds of filters that the networks have most of, with enough channels for the fast ways. */
const kinds = [
  { name: '3×3', sizes: { batch: 2, side: 6, filter: 3, stride: 1, pad: 1, from: 16, to: 16 } },
  { name: '4×4', sizes: { batch: 2, side: 6, filter: 4, stride: 2, pad: 1, from: 16, to: 16 } },
] as const

const parts = { y: '', dx: ', gradient of the input', dw: ', gradient of the filter' } as const

/** The results by name. */
function compiled(
  graphs: NativeGraph,
  one: ConvolutionCase,
  stride: number,
  bfloat16: boolean,
): Record<string, Values> {
  const { shapes } = one
  const w = tf.variable(tf.tensor4d(one.w, shapes.w))
  const trace = (round: 1 | 2): Trace => {
    const x = tf.tensor4d(numbers(one.x.length, 3 + round), shapes.x)
    const dy = tf.tensor4d(numbers(one.dy.length, 5 + round), shapes.dy)
    const convolve = (image: tf.Tensor, filter: tf.Tensor): tf.Tensor =>
      tf.conv2d(image as typeof x, filter as tf.Tensor4D, stride, 'same')
    const compute = () => {
      const [dx, dw] = tf.grads(convolve)([x, w], dy)
      if (!dx || !dw) throw new Error('There is no gradient.')
      return { outputs: new Map([['y', convolve(x, w)], ...Object.entries({ dx, dw })]) }
    }
    return { feeds: new Map(Object.entries({ x, dy })), compute }
  }
  const compiler = new Compiler(graphs, new Map([['w', w]]))
  try {
    const found = compiler.compile(trace, { bfloat16 })(new Map(Object.entries({ x: one.x, dy: one.dy })))
    return Object.fromEntries([...found].map(([name, { values }]) => [name, values]))
  } finally {
    compiler.close()
    w.dispose()
  }
}

/** Examines what is compiled on tfjs's active backend. `floatLimit`: the error that float32 may have. Leaves no tensor behind. */
export function examineCompiled(graphs: NativeGraph, floatLimit: number, bfloat16: boolean): EngineCheck[] {
  const precisions = [
    { name: 'compiled', limit: floatLimit, half: false },
    ...(bfloat16 ? [{ name: 'compiled in bfloat16', limit: bfloat16Limit, half: true }] : []),
  ]
  return kinds.flatMap(({ name, sizes }) => {
    const one = convolutionCase(sizes)
    return precisions.flatMap((precision) => {
      const found = tf.tidy(() => compiled(graphs, one, sizes.stride, precision.half))
      return (['y', 'dx', 'dw'] as const).map((part) => {
        const error = difference(found[part] ?? [], one.expected[part])
        const what = `convolution ${name}, ${precision.name}${parts[part]}`
        return { name: what, error, pass: error <= precision.limit }
      })
    })
  })
}
