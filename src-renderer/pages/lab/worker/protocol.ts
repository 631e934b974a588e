// What the Lab's page asks of its worker, and what comes back. Rows of pairs are Float32Array [N, 2], flat.
import type { LandscapeId } from '../landscapes'

/** What an estimator must be given to work: e and q alone, a codebook with memory too, or the function too. */
export type EstimatorReach = 'pair' | 'codebook' | 'function'

export interface EstimatorInfo {
  id: string
  name: string
  /** ∇e in terms of e, q and g. */
  formula: string
  source: string
  reach: EstimatorReach
  /** Draws noise: another seed gives another result. */
  noisy: boolean
}

/** What one estimator does with rows of e, q and g. */
export interface Passed {
  estimator: string
  /** q̃, what goes on to the decoder [N, 2]. */
  forward: Float32Array
  /** ∇e [N, 2]. */
  gradient: Float32Array
}

export interface PairsRequest {
  estimators: readonly string[]
  e: Float32Array
  q: Float32Array
  g: Float32Array
  seed: number
}

export interface FieldRequest {
  estimators: readonly string[]
  landscape: LandscapeId
  codeCount: number
  /** Arrows along one side. */
  gridSize: number
  halfWidth: number
  seed: number
}

export interface Field {
  codes: Float32Array
  /** Where the arrows start [gridSize², 2]. */
  points: Float32Array
  lanes: Passed[]
  /** ∇f at the points themselves, as if nothing were quantized. */
  exact: Float32Array
}

export type SimulationKind = 'himmelblau' | 'regions'

export interface SimulationSpec {
  kind: SimulationKind
  estimators: readonly string[]
  seed: number
  pointCount: number
  codeCount: number
  /** Points start inside [−halfWidth, halfWidth]². */
  halfWidth: number
}

export interface Lane {
  estimator: string
  points: Float32Array
  codes: Float32Array
  /** Mean of ‖e − q‖² over the points. */
  distortion: number
  /** Mean of f at q̃ during the step before; null where there is no function. */
  value: number | null
  /** Codes that are nearest to at least one point. */
  usedCodes: number
  /** The step at which a point left every bound; the lane stands still from then on. */
  divergedAt: number | null
}

export interface Frame {
  step: number
  /** Where one constant gradient pushes the points of each code [K, 2], length 1; null where it is a function's. */
  pushes: Float32Array | null
  lanes: Lane[]
}

export interface LabCalls {
  estimators: () => EstimatorInfo[]
  pairs: (request: PairsRequest) => Passed[]
  field: (request: FieldRequest) => Field
  /** Begins anew and returns step 0. */
  start: (spec: SimulationSpec) => Frame
  /** Goes on; returns one frame a step, and what they took. */
  step: (count: number) => { frames: Frame[]; tookMs: number }
  /** The last frame of a simulation of its own. */
  finish: (request: { spec: SimulationSpec; steps: number }) => Frame
}

export type LabRequest = {
  [Call in keyof LabCalls]: { id: number; call: Call; payload: Parameters<LabCalls[Call]>[0] }
}[keyof LabCalls]

export type LabAnswer = { id: number; result: unknown } | { id: number; error: string }
