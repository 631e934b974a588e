// `npm run bench:ab`: the comparison that README shows. Trains the sample set with `ste` and `rotation`, three
// seeds each, and writes docs/benchmarks/ab/results.json after every run, so that it can be stopped and goes on.
import { dirname, join } from 'node:path'
import { settingsFile, trainAll } from './trainings.mjs'

const variants = ['ste', 'rotation'].map((estimator) => ({
  id: estimator,
  settings: [`estimator=${estimator}`],
  about: { estimator },
}))

const { runs } = await trainAll({
  name: 'ab',
  config: settingsFile,
  resultsFile: join(dirname(settingsFile), 'results.json'),
  variants,
  seeds: [0, 1, 2],
})

function row({ estimator, seed, validation: v }) {
  const name = `${estimator} seed ${seed}`
  if (v === null) return `${name}: diverged`
  return `${name}: mse ${v.mse.toFixed(4)}, usage ${(100 * v.usage).toFixed(1)} %, perplexity ${v.perplexity.toFixed(0)}, quantization error ${v.quantizationError.toFixed(4)}`
}
for (const run of runs) process.stdout.write(`${row(run)}\n`)
