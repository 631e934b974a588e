// `npm run bench:ab`: the comparison that README shows. Trains the sample set with `ste` and `rotation`, three
// seeds each, and writes docs/benchmarks/ab/results.json after every run, so that it can be stopped and goes on.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { ensureBuilt, root } from './build.mjs'

const folder = join(root, 'docs', 'benchmarks', 'ab')
const resultsFile = join(folder, 'results.json')
const work = join(root, '.cache', 'ab')
const estimators = ['ste', 'rotation']
const seeds = [0, 1, 2]

function gyre(args) {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [join(root, 'dist/main/cli.js'), ...args, '--json'], {
      env: {
        ...process.env,
        GYRE_HOME: work,
        GYRE_ENGINES: process.env.GYRE_ENGINES ?? enginesOfThisMachine(),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let out = ''
    child.stdout.on('data', (data) => (out += data))
    child.on('close', (code) =>
      code === 0 ? done(JSON.parse(out)) : failed(new Error(`gyre ended with ${code}`)),
    )
  })
}

/** The library is the benchmark's own; engines are the machine's. */
function enginesOfThisMachine() {
  const home = process.env.GYRE_HOME
  if (home) return join(home, 'engines')
  const data = process.env.XDG_DATA_HOME ?? join(process.env.HOME ?? '', '.local', 'share')
  return join(data, 'gyre', 'engines')
}

await ensureBuilt()
mkdirSync(work, { recursive: true })
const results = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : { runs: [] }
results.machine = { cpu: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version }
for (const estimator of estimators)
  for (const seed of seeds) {
    if (results.runs.some((run) => run.estimator === estimator && run.seed === seed)) continue
    process.stderr.write(`${estimator}, seed ${seed}\n`)
    const out = join(work, `${estimator}-${seed}`)
    const config = [
      '--config',
      join(folder, 'config.json'),
      '--set',
      `estimator=${estimator}`,
      '--seed',
      String(seed),
    ]
    const trained = await gyre(
      existsSync(join(out, 'run.json'))
        ? ['resume', out]
        : ['train', '--data', 'sample', ...config, '--out', out],
    )
    // `train` reports the last step; the figures of README are the last step's, as the peer's are.
    const last = await gyre(['evaluate', out, '--checkpoint', 'last'])
    const history = readFileSync(join(out, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter((record) => record.kind === 'evaluation')
      .map(({ step, validation }) => ({ step, ...validation }))
    results.runs.push({
      estimator,
      seed,
      engine: trained.engine,
      step: last.step,
      validation: last.validation,
      history,
    })
    writeFileSync(resultsFile, `${JSON.stringify(results, null, 2)}\n`)
  }

const row = (run) => {
  const v = run.validation
  return `${run.estimator} seed ${run.seed}: mse ${v.mse.toFixed(4)}, usage ${(100 * v.usage).toFixed(1)} %, perplexity ${v.perplexity.toFixed(0)}, quantization error ${v.quantizationError.toFixed(4)}`
}
for (const run of results.runs) process.stdout.write(`${row(run)}\n`)
