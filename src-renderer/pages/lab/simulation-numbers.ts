// Presets of the simulations, and what is ahead in numbers. Pure. Says who has the lowest value, never who is best.
import { measure } from '../../format'
import type { Frame, SimulationKind } from './worker/protocol'

export interface Preset {
  id: string
  label: string
  about: string
  kind: SimulationKind
  pointCount: number
  codeCount: number
  halfWidth: number
}

/** The counts are ours: the paper names none. */
export const presets: readonly Preset[] = [
  {
    id: 'wide',
    label: '4 codes, wide start',
    about: 'Points and codes start within ±6. The rotation trick mostly ends with the lower distortion.',
    kind: 'himmelblau',
    pointCount: 400,
    codeCount: 4,
    halfWidth: 6,
  },
  {
    id: 'narrow',
    label: '4 codes, narrow start',
    about: 'Points and codes start within ±4. Straight-through mostly ends with the lower distortion.',
    kind: 'himmelblau',
    pointCount: 400,
    codeCount: 4,
    halfWidth: 4,
  },
  {
    id: 'many',
    label: '16 codes, wide start',
    about: 'More codes than minima, within ±6.',
    kind: 'himmelblau',
    pointCount: 400,
    codeCount: 16,
    halfWidth: 6,
  },
  {
    id: 'regions',
    label: '8 regions',
    about: 'Four clouds of points, eight codes that stay.',
    kind: 'regions',
    pointCount: 400,
    codeCount: 8,
    halfWidth: 4,
  },
  {
    id: 'regions-many',
    label: '24 regions',
    about: 'Four clouds of points, 24 codes that stay.',
    kind: 'regions',
    pointCount: 400,
    codeCount: 24,
    halfWidth: 4,
  },
]

export const stepsOf: Readonly<Record<SimulationKind, number>> = { himmelblau: 100, regions: 25 }

/** Steps that the paper shows. */
export const snapshotsOf: Readonly<Record<SimulationKind, readonly number[]>> = {
  himmelblau: [0, 33, 66, 100],
  regions: [0, 5, 15, 25],
}

/** Three digits, zeros too, so that a column does not jump while it plays. */
export function figure(value: number): string {
  const size = Math.abs(value)
  return size >= 0.001 && size < 1000 ? value.toPrecision(3) : measure(value)
}

export type NameOf = (estimator: string) => string

/** One sentence: the order by distortion, lowest first. */
export function orderInWords(frame: Frame, name: NameOf): string {
  const alive = frame.lanes
    .filter(({ divergedAt }) => divergedAt === null)
    .sort((a, b) => a.distortion - b.distortion)
  const gone = frame.lanes
    .filter(({ divergedAt }) => divergedAt !== null)
    .map(({ estimator, divergedAt }) => `${name(estimator)} diverged at step ${divergedAt ?? 0}.`)
  const [lowest, ...others] = alive
  if (!lowest) return gone.join(' ')
  const rest = others.map(({ estimator, distortion }) => `${name(estimator)} ${figure(distortion)}`)
  const list = rest.length > 0 ? `; ${rest.join(', ')}` : ''
  return [
    `Step ${frame.step}: lowest distortion ${name(lowest.estimator)}, ${figure(lowest.distortion)}${list}.`,
    ...gone,
  ].join(' ')
}

export interface Repeated {
  estimator: string
  mean: number
  deviation: number
  /** Mean of f at the end; null where there is no function. */
  value: number | null
  /** Seeds in which its distortion was the lowest. */
  lowest: number
  diverged: number
}

/** Last frames of the same simulation from several seeds, per estimator. Diverged ones do not enter the mean. */
export function repeatedOf(frames: readonly Frame[]): Repeated[] {
  const estimators = frames[0]?.lanes.map(({ estimator }) => estimator) ?? []
  return estimators.map((estimator, index) => {
    const lanes = frames.flatMap(({ lanes: all }) => all[index] ?? [])
    const alive = lanes.filter(({ divergedAt }) => divergedAt === null)
    const values = alive.map(({ distortion }) => distortion)
    const mean = meanOf(values)
    const heights = alive.flatMap(({ value }) => value ?? [])
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
    return {
      estimator,
      mean,
      deviation: Math.sqrt(variance),
      value: heights.length > 0 ? meanOf(heights) : null,
      lowest: frames.filter((frame) => lowestOf(frame) === estimator).length,
      diverged: lanes.length - values.length,
    }
  })
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

function lowestOf({ lanes }: Frame): string | null {
  const alive = lanes.filter(({ divergedAt }) => divergedAt === null)
  if (alive.length === 0) return null
  return alive.reduce((best, lane) => (lane.distortion < best.distortion ? lane : best)).estimator
}
