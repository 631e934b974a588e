// Which estimators `npm run bench:estimators` trains, with which settings, and the table that README shows of it. Pure.

/** Those that train the codes by their own gradient, and with that only the codes that are chosen: docs/estimators.md. */
const selfTraining = ['nsvq', 'diveq', 'sf_diveq', 'gumbel']
const selfTrainingSettings = ['codebookUpdate=gradient', 'deadCodeThreshold=0.5']

const everyEstimator = [
  ...['ste', 'rotation', 'rotation_unscaled', 'rotation_inverse_error', 'rotation_adaptive', 'reflection'],
  ...['hessian', 'exact_gradient'],
  ...selfTraining,
]

function variant(estimator, distance) {
  const own = selfTraining.includes(estimator) ? selfTrainingSettings : []
  return {
    id: `${estimator}-${distance}`,
    settings: [`estimator=${estimator}`, `distance=${distance}`, ...own],
    about: { estimator, distance },
  }
}

/** Every estimator with Euclidean distance, and those that are compared with a cosine codebook. */
export const variants = [
  ...everyEstimator.map((estimator) => variant(estimator, 'euclidean')),
  ...['ste', 'rotation', 'rotation_adaptive'].map((estimator) => variant(estimator, 'cosine')),
]

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length

/** `0.0167 (0.0160–0.0173)`: the mean, and the least and largest. */
function spread(values, show) {
  const [least, largest] = [show(Math.min(...values)), show(Math.max(...values))]
  return values.length === 1 ? show(values[0]) : `${show(mean(values))} (${least}–${largest})`
}

const percent = (value) => `${(100 * value).toFixed(1)}`

function row({ about: { estimator, distance } }, runs) {
  const own = runs.filter((run) => run.estimator === estimator && run.distance === distance)
  if (own.length === 0) return null
  const name = `\`${estimator}\`${selfTraining.includes(estimator) ? ' *' : ''}`
  const kept = own.flatMap(({ validation }) => (validation === null ? [] : [validation]))
  const diverged = own.length - kept.length
  const seeds = diverged === 0 ? `${own.length}` : `${own.length}, of which ${diverged} diverged`
  if (kept.length === 0) return [name, distance, seeds, '–', '–', '–', '–']
  const of = (metric, show) =>
    spread(
      kept.map((validation) => validation[metric]),
      show,
    )
  return [
    name,
    distance,
    seeds,
    of('mse', (value) => value.toFixed(4)),
    of('usage', percent),
    of('perplexity', (value) => value.toFixed(0)),
    of('quantizationError', (value) => value.toFixed(value < 1 ? 4 : 2)),
  ]
}

/** A row for every variant that has a result. */
export function estimatorTable({ runs }) {
  const head = ['estimator', 'distance', 'seeds', 'mse', 'usage, %', 'perplexity', 'quantization error']
  const rows = variants.map((one) => row(one, runs)).filter((cells) => cells !== null)
  if (rows.length === 0) return 'Not measured yet.'
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
