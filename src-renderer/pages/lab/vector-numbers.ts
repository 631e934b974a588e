// The numbers beside the stage of one vector: lengths, angles, and what each estimator hands back. Pure.
import { measure } from '../../format'
import { angleBetween, dot, lengthOf, minus, rowOf, type Vector } from './plane'
import type { Passed } from './worker/protocol'

export interface Stage {
  e: Vector
  q: Vector
  g: Vector
}

export interface Handed {
  estimator: string
  name: string
  colour: string
  gradient: Vector
  /** q̃, where it is not q. */
  forward: Vector
  /** ‖∇e‖ / ‖g‖ */
  scale: number
  /** ∠(e, ∇e) */
  toE: number
  /** ∠(g, ∇e) */
  turned: number
  /** Where a small step against ∇e brings e. */
  moves: string
}

export const degrees = (angle: number): string => (Number.isNaN(angle) ? '–' : `${angle.toFixed(1)}°`)

/** Presets that show what the estimators share and where they part. */
export const stagePresets: readonly { label: string; about: string; stage: Stage }[] = [
  {
    label: 'Usual',
    about: 'The code is near, at a small angle.',
    stage: { e: { x: 1.2, y: 0.4 }, q: { x: 0.7, y: 1.2 }, g: { x: 0.9, y: -0.2 } },
  },
  {
    label: 'Same direction',
    about: 'e and q differ in length only: nothing turns, lengths are scaled by λ.',
    stage: { e: { x: 0.8, y: 0.4 }, q: { x: 1.6, y: 0.8 }, g: { x: 0, y: 1 } },
  },
  {
    label: 'Far from the origin',
    about: 'Seen from the origin the two are almost in one place: rotation comes close to straight-through.',
    stage: { e: { x: 2.2, y: 1.8 }, q: { x: 1.8, y: 2.2 }, g: { x: -0.9, y: 0.2 } },
  },
  {
    label: 'Near the origin',
    about: 'e is short: λ is large and the angle wide, so rotation turns and stretches a lot.',
    stage: { e: { x: 0.3, y: -0.25 }, q: { x: -0.2, y: 0.7 }, g: { x: 0.5, y: 0.3 } },
  },
  {
    label: 'Opposite sides',
    about: 'The angle is close to 180°: rotation turns the gradient almost around.',
    stage: { e: { x: 1.2, y: 0.15 }, q: { x: -1.3, y: 0.2 }, g: { x: 0.3, y: 0.8 } },
  },
]

export function handedOf(stage: Stage, passed: Passed, look: { name: string; colour: string }): Handed {
  const gradient = rowOf(passed.gradient, 0)
  return {
    estimator: passed.estimator,
    ...look,
    gradient,
    forward: rowOf(passed.forward, 0),
    scale: lengthOf(gradient) / lengthOf(stage.g),
    toE: angleBetween(stage.e, gradient),
    turned: angleBetween(stage.g, gradient),
    moves: moveWords(stage, gradient),
  }
}

/** A step goes against the gradient: towards q where it has a part along q − e. */
function moveWords({ e, q }: Stage, gradient: Vector): string {
  const towards = minus(q, e)
  const along = -dot(gradient, towards) / (lengthOf(gradient) * lengthOf(towards))
  if (!Number.isFinite(along)) return 'stands still'
  if (Math.abs(along) < 0.02) return 'steps around q'
  return along > 0 ? 'steps nearer to q' : 'steps away from q'
}

/** The facts of the stage itself. */
export function factsOf({ e, q, g }: Stage): { label: string; value: string; about: string }[] {
  const gap = lengthOf(minus(q, e))
  return [
    {
      label: 'λ = ‖q‖/‖e‖',
      value: measure(lengthOf(q) / lengthOf(e)),
      about: 'How much longer the code is than the encoder’s output; rotation scales by it.',
    },
    {
      label: '∠(e, q)',
      value: degrees(angleBetween(e, q)),
      about: 'Seen from the origin; rotation turns by it. Above 90° it is obtuse.',
    },
    {
      label: '‖q − e‖²',
      value: measure(gap * gap),
      about: 'Quantization error: squared distance between encoder output and code.',
    },
    {
      label: '∠(q, g)',
      value: degrees(angleBetween(q, g)),
      about: 'Between the code and the gradient that arrives at it; rotation keeps it as ∠(e, ∇e).',
    },
    { label: '‖g‖', value: measure(lengthOf(g)), about: 'Length of the gradient that arrives at the code.' },
  ]
}

export function summaryOf(stage: Stage, handed: readonly Handed[]): string {
  const place = ({ x, y }: Vector): string => `(${x.toFixed(2)}, ${y.toFixed(2)})`
  const parts = handed.map(
    ({ name, gradient, toE }) =>
      `${name}: length ${measure(lengthOf(gradient))}, angle to e ${degrees(toE)}.`,
  )
  const { e, q, g } = stage
  return `e at ${place(e)}, q at ${place(q)}, gradient g ${place(g)}, angle of q and g ${degrees(angleBetween(q, g))}. ${parts.join(' ')}`
}
