// `npm run bench:estimators`: trains every estimator at the settings of README's comparison, three seeds each. Writes
// docs/benchmarks/estimators/results.json and README's table after every run; stopped and called again, it goes on.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './build.mjs'
import { estimatorTable, variants } from './estimator-table.mjs'
import { intoPage } from './markers.mjs'
import { settingsFile, trainAll } from './trainings.mjs'

const usage = `npm run bench:estimators -- [--try] [--only ID,ID]
  --try      four steps with one seed into .cache, to see that every variant trains; leaves docs/ and README alone
  --only ID  only these, of: ${variants.map(({ id }) => id).join(', ')}`

function readArgs(args) {
  const options = { attempt: false, only: null }
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--try') options.attempt = true
    else if (args[i] === '--only' && args[i + 1] !== undefined) options.only = args[++i].split(',')
    else {
      process.stdout.write(args[i] === '--help' ? `${usage}\n` : `Unknown option ${args[i]}.\n${usage}\n`)
      process.exit(args[i] === '--help' ? 0 : 2)
    }
  }
  return options
}

const { attempt, only } = readArgs(process.argv.slice(2))
const unknown = only?.filter((id) => !variants.some((variant) => variant.id === id)) ?? []
if (unknown.length > 0) {
  process.stdout.write(`Unknown: ${unknown.join(', ')}.\n${usage}\n`)
  process.exit(2)
}
const chosen = variants.filter(({ id }) => !only || only.includes(id))

const readme = join(root, 'README.md')
function renewReadme(results) {
  const page = intoPage(readFileSync(readme, 'utf8'), { estimators: estimatorTable(results) })
  writeFileSync(readme, page)
}

const few = ['steps=4', 'evaluateEvery=4', 'checkpointEvery=4']
const results = await trainAll({
  name: attempt ? 'estimators-try' : 'estimators',
  config: settingsFile,
  resultsFile: attempt
    ? join(root, '.cache', 'estimators-try', 'results.json')
    : join(root, 'docs', 'benchmarks', 'estimators', 'results.json'),
  variants: attempt ? chosen.map((one) => ({ ...one, settings: [...one.settings, ...few] })) : chosen,
  seeds: attempt ? [0] : [0, 1, 2],
  afterEach: attempt ? undefined : renewReadme,
})
if (!attempt) renewReadme(results)
process.stdout.write(`${estimatorTable(results)}\n`)
