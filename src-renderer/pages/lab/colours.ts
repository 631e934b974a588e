// Which colour stands for which estimator: rotation and straight-through have their own everywhere in the window,
// the others take the neutral ones in the order in which they are shown.

const fixed: Readonly<Record<string, string>> = { ste: '--ste', rotation: '--rotation' }
const neutral = ['--series-3', '--series-4', '--series-5'] as const

/** As many as can be told apart in one picture. */
export const mostEstimators = 2 + neutral.length

/** A CSS colour for each of `shown`, in the same order. */
export function coloursOf(shown: readonly string[]): string[] {
  let next = 0
  return shown.map((id) => `var(${fixed[id] ?? neutral[next++ % neutral.length] ?? '--text'})`)
}
