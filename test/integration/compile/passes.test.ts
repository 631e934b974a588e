// What the passes over a recorded step find in the steps of our own networks: every pattern, and nothing that must stay in
// float32.
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configSchema, type ConfigInput } from '#shared/config/index'
import { lowNodes } from '#main/engine/compile/bfloat16'
import { fuse } from '#main/engine/compile/fuse'
import { nodeAt, reachable, typeOf, type Graph, type GraphNode } from '#main/engine/compile/graph'
import { record, type NativeBackend } from '#main/engine/compile/recorder'
import { withShapes } from '#main/engine/compile/shapes'
import { loadEngine, type Engine } from '#main/engine/index'
import { computeStep, createModel, createOptimizer, createRandom, stepInputs } from '#main/model/index'
import { stepVariables } from '#main/train/compiled-steps'

let engine: Engine
beforeAll(async () => {
  engine = await loadEngine('tensorflow-cpu')
})
afterAll(() => engine.close())

interface Recorded {
  graph: Graph
  /** Nodes that the results need. */
  needed: Set<number>
  weights: number
}

function recorded(input: ConfigInput): Recorded {
  const small = { imageSize: 16, batchSize: 2, channels: 8, residualBlocks: 1, codebookSize: 24, codeDim: 4 }
  const config = configSchema.parse({ ...small, ...input })
  const model = createModel(config, 1)
  const optimizer = createOptimizer(config, model)
  const variables = stepVariables(model, optimizer)
  for (const variable of variables.values())
    tf.tidy(() => variable.assign(tf.tensor(variable.dataSync(), variable.shape)))
  const graphs: Graph[] = []
  const roots: number[] = []
  tf.tidy(() => {
    const x = tf.randomUniform<tf.Rank.R4>([2, 16, 16, 3], -1, 1, 'float32', 1)
    const inputs = stepInputs(model, optimizer, x, { learningRate: 1e-3, t: 1, random: createRandom(1) })
    const { keep, rate, epsilon } = inputs
    const feeds = new Map<string, tf.Tensor>(Object.entries({ x, keep, rate, epsilon }))
    const { graphs: native } = engine
    if (!native) throw new Error('This engine runs no graphs.')
    const recording = withShapes(native, (describe) =>
      record(
        tf.backend() as unknown as NativeBackend,
        describe,
        { feeds, variables },
        () => computeStep(model, optimizer, config, inputs, { leaveAdam: true }),
        ({ output, assignments, adam }, resolve) => {
          const outputs = Object.values(output) as tf.Tensor[]
          const results = [
            ...outputs,
            ...assignments.map(([, next]) => next),
            ...adam.map(({ gradient }) => gradient),
          ]
          roots.push(...results.map((tensor) => resolve(tensor).node))
          tf.dispose(outputs)
        },
      ),
    )
    graphs.push(recording.graph)
  })
  const [graph] = graphs
  if (!graph) throw new Error('Nothing was recorded.')
  fuse(graph)
  const needed = reachable(graph, roots)
  const weights = model.trainable.size
  optimizer.dispose()
  model.dispose()
  return { graph, needed, weights }
}

const nodesOf = ({ graph, needed }: Recorded, ...ops: string[]): [number, GraphNode][] =>
  [...needed].map((i): [number, GraphNode] => [i, nodeAt(graph, i)]).filter(([, { op }]) => ops.includes(op))

describe('the quick network', () => {
  it('has its biases, activations and lengths as single operations', () => {
    const step = recorded({ network: 'quick' })
    const count = (...ops: string[]): number => nodesOf(step, ...ops).length
    const biases = step.weights / 2
    // One more: what the search takes from its products.
    expect(count('BiasAdd')).toBe(biases + 1)
    expect(count('BiasAddGrad')).toBe(biases)
    expect(count('ReluGrad')).toBe(count('Relu'))
    expect(count('Relu')).toBeGreaterThan(0)
    // Of the filters; biases are short.
    expect(count('L2Loss')).toBe(biases)
    expect(count('Sign')).toBe(0)
    expect(count('BatchMatMulV2')).toBe(0)
  })
})

describe.each([
  ['quick', { network: 'quick' }],
  ['cnn with attention', { network: 'cnn', channelMultipliers: [1, 2], attention: [8] }],
] satisfies [string, ConfigInput][])('in bfloat16, %s', (_, input) => {
  it('convolutions are, and search, losses, norms and lengths are not', () => {
    const step = recorded(input)
    const { graph } = step
    const low = lowNodes(graph)
    const convolutions = nodesOf(step, 'Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter')
    expect(convolutions.length).toBeGreaterThan(10)
    for (const [index] of convolutions) expect(low.has(index)).toBe(true)
    const exact = [
      'ArgMax',
      'L2Loss',
      'Mean',
      'Sub',
      'Square',
      'Rsqrt',
      'UnsortedSegmentSum',
      'Softmax',
      'Mul',
    ]
    for (const [index] of nodesOf(step, ...exact)) expect(low.has(index)).toBe(false)
    // The products of the search: those whose second operand is as wide as the codebook is long.
    const products = nodesOf(step, 'MatMul').filter(([, { inputs }]) =>
      inputs.some((ref) => typeOf(graph, ref).shape.join() === '24,4'),
    )
    expect(products).toHaveLength(1)
    for (const [index] of products) expect(low.has(index)).toBe(false)
  })
})

it('attention multiplies in bfloat16 where both factors come from the network', () => {
  const step = recorded({ network: 'cnn', channelMultipliers: [1, 2] })
  const low = lowNodes(step.graph)
  const forward = nodesOf(step, 'BatchMatMulV2').filter(([index]) => low.has(index))
  // Two products in each of the two middles.
  expect(forward).toHaveLength(4)
})

it.each([
  ['simvq', { quantizer: 'simvq', codebookUpdate: 'gradient', estimator: 'ste' }],
  [
    'soft_convex',
    { quantizer: 'soft_convex', codebookUpdate: 'gradient', estimator: 'ste', codebookInit: 'data' },
  ],
  ['ibq', { quantizer: 'ibq', codebookUpdate: 'gradient', estimator: 'ste' }],
  ['gumbel', { estimator: 'gumbel', codebookUpdate: 'gradient' }],
] satisfies [string, ConfigInput][])(
  'codes that are computed are searched in float32, too: %s',
  (_, input) => {
    const step = recorded({ network: 'quick', ...input })
    const low = lowNodes(step.graph)
    const multiplied = nodesOf(step, 'MatMul', 'BatchMatMul', 'BatchMatMulV2')
    expect(multiplied.length).toBeGreaterThan(1)
    // This network has no attention: every product is one with codes.
    for (const [index] of multiplied) expect(low.has(index)).toBe(false)
  },
)
