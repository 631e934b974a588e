// Reading the golden vectors, and the two ways of comparing with them.
import { readFileSync } from 'node:fs'
import type * as tf from '@tensorflow/tfjs-core'

export type Matrix = number[][]

export interface EstimatorCase {
  estimator: string
  dim: number
  z: Matrix
  q: Matrix
  upstream: Matrix
  noise: Matrix | null
  forward: Matrix
  grad_z: Matrix
  grad_q: Matrix
}

export interface QuantizerCase {
  name: string
  formula: string
  inputs: Record<string, Matrix>
  upstream: Matrix
  forward: Matrix
  gradients: Record<string, Matrix>
}

export interface EdgeCase {
  name: string
  z: Matrix
  q: Matrix
  upstream: Matrix
}

export interface LayerStep {
  x: Matrix
  upstream: Matrix
  indices: number[]
  quantized: Matrix
  commit_loss: number
  grad_x: Matrix
  grad_codebook?: Matrix
  codebook_after: Matrix
}

export interface LayerRun {
  name: string
  dim: number
  codebook_size: number
  decay?: number
  commitment_weight: number
  codebook_initial: Matrix
  steps: LayerStep[]
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../resources/vectors/${file}.json`, import.meta.url), 'utf8'))
}

export const estimatorCases = (): EstimatorCase[] => (read('estimators') as { cases: EstimatorCase[] }).cases
export const quantizerCases = (): QuantizerCase[] => (read('quantizers') as { cases: QuantizerCase[] }).cases
export const edgeCases = (): EdgeCase[] => (read('quantizers') as { edges: EdgeCase[] }).edges
export const layerRuns = (file: 'layer' | 'layers_more'): LayerRun[] =>
  (read(file) as { runs: LayerRun[] }).runs

/** max|a−b| / max|b| over the whole tensor. */
export function relativeError(actual: tf.Tensor, expected: Matrix | number[]): number {
  const [a, b] = [actual.dataSync(), expected.flat()]
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}.`)
  const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const difference = b.reduce((most, value, i) => Math.max(most, Math.abs((a[i] ?? NaN) - value)), 0)
  return difference / Math.max(largest, Number.MIN_VALUE)
}
