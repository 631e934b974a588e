// A network as plain data: the one description that is run (`layers.ts`), initialised (`parameters.ts`) and counted
// (`describe.ts`). No tfjs here, so that the service can describe a model without loading an engine.

/** Sizes are counts of channels. Weights are [k, k, in, out], transposed ones [k, k, out, in], as in tfjs. */
export type Layer =
  | { kind: 'conv'; name: string; in: number; out: number; kernel: number; stride: 1 | 2 }
  /** 4×4, stride 2: doubles height and width. */
  | { kind: 'conv-transpose'; name: string; in: number; out: number }
  | { kind: 'relu' }
  | { kind: 'silu' }
  | { kind: 'group-norm'; name: string; channels: number }
  /** Over the channels of each position. */
  | { kind: 'layer-norm'; name: string; channels: number }
  /** Nearest neighbour, ×2. */
  | { kind: 'upsample' }
  /** skip(x) + body(x); no skip layer means x itself. */
  | { kind: 'residual'; name: string; body: Layer[]; skip: Layer | null }
  /** Self-attention over all positions, one head, with its own norm and residual. */
  | { kind: 'attention'; name: string; channels: number }

export interface NetworkSpec {
  /** Image [N, S, S, C] to encoder outputs [N, H, W, D]. */
  encoder: Layer[]
  /** Codes [N, H, W, D] to image. */
  decoder: Layer[]
  /** Height and width of the grid of tokens. */
  tokens: [number, number]
}

export interface ParameterSpec {
  name: string
  shape: number[]
  /** Starts uniform in ±bound, or constant. */
  init: { bound: number } | { value: number }
}

export const transposeKernel = 4

export function conv(name: string, from: number, to: number, kernel: number, stride: 1 | 2 = 1): Layer {
  return { kind: 'conv', name, in: from, out: to, kernel, stride }
}

/** The 1×1 convolutions and the norm that a self-attention layer is made of. */
export function attentionParts(layer: { name: string; channels: number }) {
  const { name, channels } = layer
  const part = (suffix: string) => ({ name: `${name}.${suffix}`, in: channels, out: channels })
  return {
    norm: { name: `${name}.group_norm`, channels },
    query: part('to_q'),
    key: part('to_k'),
    value: part('to_v'),
    out: part('to_out.0'),
  }
}

function weightAndBias(name: string, shape: number[], fanIn: number, out: number): ParameterSpec[] {
  const init = { bound: 1 / Math.sqrt(fanIn) }
  return [
    { name: `${name}.weight`, shape, init },
    { name: `${name}.bias`, shape: [out], init },
  ]
}

function scaleAndShift({ name, channels }: { name: string; channels: number }): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [channels], init: { value: 1 } },
    { name: `${name}.bias`, shape: [channels], init: { value: 0 } },
  ]
}

/**
 * The trainable tensors of some layers, in order. Convolutions start as PyTorch's do: weights and biases uniform in
 * ±1/√fan_in, where a transposed convolution counts its outputs as fan_in.
 */
export function parametersOf(layers: readonly Layer[]): ParameterSpec[] {
  return layers.flatMap((layer): ParameterSpec[] => {
    switch (layer.kind) {
      case 'conv': {
        const shape = [layer.kernel, layer.kernel, layer.in, layer.out]
        return weightAndBias(layer.name, shape, layer.in * layer.kernel ** 2, layer.out)
      }
      case 'conv-transpose': {
        const shape = [transposeKernel, transposeKernel, layer.out, layer.in]
        return weightAndBias(layer.name, shape, layer.out * transposeKernel ** 2, layer.out)
      }
      case 'group-norm':
      case 'layer-norm':
        return scaleAndShift(layer)
      case 'residual':
        return parametersOf(layer.skip ? [...layer.body, layer.skip] : layer.body)
      case 'attention': {
        const parts = attentionParts(layer)
        const linear = [parts.query, parts.key, parts.value, parts.out]
        return [
          ...scaleAndShift(parts.norm),
          ...linear.flatMap((part) => weightAndBias(part.name, [1, 1, part.in, part.out], part.in, part.out)),
        ]
      }
      case 'relu':
      case 'silu':
      case 'upsample':
        return []
    }
  })
}

export function countParameters(layers: readonly Layer[]): number {
  return parametersOf(layers).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
}
