// Between files and tensors: image bytes to model input and back, variables to named tensors and back.
import * as tf from '@tensorflow/tfjs-core'
import { GyreError } from '#shared/contract/errors'
import type { NamedTensor } from '#main/export/safetensors'

/** [N, S, S, C]; the caller disposes it. */
export function imageTensor(values: Float32Array, imageSize: number, channels: number): tf.Tensor4D {
  const count = values.length / (imageSize * imageSize * channels)
  return tf.tensor4d(values, [count, imageSize, imageSize, channels])
}

/** Values of images in [−1, 1] as bytes, clipped and rounded. */
export function pixelBytes(values: ArrayLike<number>): Uint8Array {
  // This kind of array rounds and clips.
  const bytes = new Uint8ClampedArray(values.length)
  for (let i = 0; i < values.length; i++) bytes[i] = ((values[i] ?? 0) + 1) * 127.5
  return new Uint8Array(bytes.buffer)
}

export type Variables = Iterable<readonly [string, tf.Variable]>

/** Copies of the variables' values, for a file. */
export function snapshot(variables: Variables): NamedTensor[] {
  return Array.from(variables, ([name, variable]) => ({
    name,
    dtype: 'F32' as const,
    shape: [...variable.shape],
    data: variable.dataSync() as Float32Array,
  }))
}

/** Whether every number of a tensor is finite. */
export function isFiniteTensor({ data }: NamedTensor): boolean {
  // A sum of zeros, unless a product was NaN: one addition a number, no branch.
  let sum = 0
  for (const number of data) sum += number * 0
  return sum === 0
}

/** Gives a variable the value from a file. Throws `corrupt` when shape or number format differ. */
export function assignTensor(variable: tf.Variable, name: string, tensor: NamedTensor): void {
  const fits = tensor.dtype === 'F32' && tensor.shape.join() === variable.shape.join()
  if (!fits)
    throw new GyreError('corrupt', `The tensor “${name}” in the checkpoint does not fit this run’s settings.`)
  tf.tidy(() => variable.assign(tf.tensor(tensor.data, variable.shape)))
}

/** Gives every variable its value from a file. Throws `corrupt` when one is missing or does not fit. */
export function restore(variables: Variables, tensors: ReadonlyMap<string, NamedTensor>): void {
  for (const [name, variable] of variables) {
    const tensor = tensors.get(name)
    if (!tensor) throw new GyreError('corrupt', `The checkpoint holds no tensor “${name}”.`)
    assignTensor(variable, name, tensor)
  }
}
