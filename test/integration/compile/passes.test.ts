// What the passes over a recorded step find in the steps of our own networks: every pattern, and nothing that must stay in
// float32.
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configSchema, type ConfigInput } from '#shared/config/index'
import { fuseActivations } from '#main/engine/compile/activations'
import { lowNodes, toBfloat16 } from '#main/engine/compile/bfloat16'
import { fuse } from '#main/engine/compile/fuse'
import { dataTypes, nodeAt, reachable, typeOf, type Graph, type GraphNode } from '#main/engine/compile/graph'
import { record, type NativeBackend } from '#main/engine/compile/recorder'
import { withShapes } from '#main/engine/compile/shapes'
import { useWinograd } from '#main/engine/compile/winograd'
import { loadEngine, type Engine, type NativeGraph } from '#main/engine/index'
import { computeStep, createModel, createOptimizer, createRandom, stepInputs } from '#main/model/index'
import { stepVariables } from '#main/train/compiled-steps'
import { openSteps } from '#main/train/open-steps'

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
  roots: number[]
}

const small = { imageSize: 16, batchSize: 2, channels: 8, residualBlocks: 1, codebookSize: 24, codeDim: 4 }

function nativeGraphs(): NativeGraph {
  if (!engine.graphs) throw new Error('This engine runs no graphs.')
  return engine.graphs
}

function recorded(input: ConfigInput): Recorded {
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
    const recording = withShapes(nativeGraphs(), (describe) =>
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
  return { graph, needed, weights, roots }
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
    // Summed by TensorFlow they would be rounded at every position; ours sums them in float32.
    const gradients = nodesOf(step, 'BiasAddGrad')
    expect(gradients.length).toBeGreaterThan(5)
    for (const [index] of gradients) expect(low.has(index)).toBe(false)
    const withOurs = lowNodes(graph, { exactBiasGradients: true })
    expect(gradients.some(([index]) => withOurs.has(index))).toBe(true)
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

describe('our own convolutions', () => {
  const wide = { network: 'quick', channels: 64 } as const
  const names = ['GyreConvolution', 'GyreConvolutionBias', 'GyreConvolutionBack', 'GyreConvolutionFilter']

  it('take the place of every one that they fit', () => {
    const step = recorded(wide)
    const before = nodesOf(step, 'Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter').length
    fuseActivations(step.graph)
    useWinograd(step.graph)
    // What is fused reads what it was made of.
    const after = { ...step, needed: reachable(step.graph, step.roots) }
    // Down from 32 to 64, the two of 3×3 behind it, one in each of two residual blocks, and up from 64 to 32: forwards,
    // to the images and to the filter. The other two of 3×3 have too few channels on one side.
    const own = nodesOf(after, ...names)
    expect(own).toHaveLength(3 * 5)
    const theirs = ['Conv2D', '_FusedConv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter']
    expect(nodesOf(after, ...theirs)).toHaveLength(before - own.length)
  })

  it('are in the graph that TensorFlow is given', async (context) => {
    const native = nativeGraphs()
    context.skip(!native.operations().includes('GyreConvolution'), 'This processor has no AVX-512.')
    const given: string[] = []
    const graphs: NativeGraph = {
      ...native,
      extend: (session, definition) => {
        given.push(Buffer.from(definition).toString('latin1'))
        native.extend(session, definition)
      },
    }
    const config = configSchema.parse({ ...small, ...wide })
    const model = createModel(config, 1)
    const optimizer = createOptimizer(config, model)
    const steps = openSteps(model, optimizer, { engine: { id: 'tensorflow-cpu', graphs } })
    const values = new Float32Array(2 * 16 * 16 * 3).fill(0.5)
    await steps.take({ values, learningRate: 1e-3, t: 1, random: createRandom(1), diagnose: false })
    for (const name of names.slice(1)) expect(given.some((text) => text.includes(name))).toBe(true)
    steps.close()
    optimizer.dispose()
    model.dispose()
  })
})

it('group normalisation reads and writes bfloat16, and has all else in float32', (context) => {
  const operations = nativeGraphs().operations()
  context.skip(!operations.includes('GyreGroupNorm'), 'This processor has no AVX-512.')
  const step = recorded({ network: 'cnn', channelMultipliers: [1, 2] })
  const { graph } = step
  toBfloat16(graph)
  const { bfloat16, float32 } = dataTypes
  const after = { ...step, needed: reachable(graph, step.roots) }
  const typesOf = (node: GraphNode): number[] => node.inputs.map((ref) => typeOf(graph, ref).dtype)
  const forward = nodesOf(after, 'GyreGroupNorm')
  const back = nodesOf(after, 'GyreGroupNormBack')
  expect(forward.length).toBeGreaterThan(10)
  expect(back).toHaveLength(forward.length)
  for (const [, node] of forward) {
    expect(typesOf(node)).toEqual([bfloat16, float32, float32])
    expect(node.outputs.map(({ dtype }) => dtype)).toEqual([bfloat16, float32])
    expect(node.attributes).toMatchObject({ Tx: { value: bfloat16 }, Ty: { value: bfloat16 } })
  }
  for (const [, node] of back) {
    const [g, ...others] = typesOf(node)
    expect(others).toEqual([bfloat16, float32, float32, float32])
    expect(node.outputs.map(({ dtype }) => dtype)).toEqual([bfloat16, float32, float32])
    expect(node.attributes).toMatchObject({ Tg: { value: g }, Tx: { value: bfloat16 } })
  }
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
