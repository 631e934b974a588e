// What a model makes of images, outside training: numbers in, numbers out, operation by operation or as graphs. Like the
// training steps, only without a change to anything.
import * as tf from '@tensorflow/tfjs-core'
import { CannotCompile, type Callable, type Compiler, type Values } from '#main/engine/index'
import type { VqModel } from '#main/model/index'
import { imageTensor } from './tensors'

/** A function of images x [N, S, S, C] with named results. The same name must always mean the same function. */
export interface Computation<Name extends string> {
  name: string
  compute: (model: VqModel, x: tf.Tensor4D) => Record<Name, tf.Tensor>
}

export type Numbers<Name extends string> = Record<Name, Values>

export interface Forward {
  /** `values` holds whole images in [−1, 1]. */
  run<Name extends string>(computation: Computation<Name>, values: Float32Array): Promise<Numbers<Name>>
}

/** On any engine. */
export function eagerForward(model: VqModel): Forward {
  const { imageSize, channelsIn } = model.config
  return {
    run: async ({ compute }, values) => {
      const results = tf.tidy(() => compute(model, imageTensor(values, imageSize, channelsIn)))
      try {
        const read = Object.entries<tf.Tensor>(results).map(
          async ([name, tensor]) => [name, await tensor.data<'float32' | 'int32'>()] as const,
        )
        return Object.fromEntries(await Promise.all(read)) as Numbers<keyof typeof results & string>
      } finally {
        tf.dispose(results)
      }
    },
  }
}

/**
 * As graphs on the variables that `compiler` holds, one for each computation and number of images; what does not fit into
 * a graph runs eagerly, and `onEager` is told why. Always in float32.
 */
export function compiledForward(
  compiler: Compiler,
  model: VqModel,
  onEager: (reason: string) => void = () => undefined,
): Forward {
  const { imageSize, channelsIn } = model.config
  const graphs = new Map<string, Callable | null>()
  const eager = eagerForward(model)

  function compile<Name extends string>(
    { name, compute }: Computation<Name>,
    count: number,
  ): Callable | null {
    try {
      return compiler.compile((round) => {
        const shape: [number, number, number, number] = [count, imageSize, imageSize, channelsIn]
        const x = tf.randomUniform<tf.Rank.R4>(shape, -1, 1, 'float32', round)
        return {
          feeds: new Map([['x', x]]),
          compute: () => ({ outputs: new Map(Object.entries<tf.Tensor>(compute(model, x))) }),
        }
      })
    } catch (error) {
      if (!(error instanceof CannotCompile)) throw error
      onEager(`“${name}” runs one operation at a time: it could not be compiled. ${error.message}`)
      return null
    }
  }

  return {
    run: async (computation, values) => {
      const count = values.length / (imageSize * imageSize * channelsIn)
      const key = `${computation.name} ${count}`
      const known = graphs.get(key)
      const graph = known === undefined ? compile(computation, count) : known
      graphs.set(key, graph)
      if (!graph) {
        compiler.pull()
        return eager.run(computation, values)
      }
      const results = graph(new Map([['x', values]]))
      const entries = [...results].map(([name, result]) => [name, result.values] as const)
      return Object.fromEntries(entries) as Numbers<string>
    },
  }
}
