// Trainings whose results are published: the sample set through the command line, one after the other, each written down
// as soon as it is done. Stopped and called again, they go on where they were.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { ensureBuilt, root } from './build.mjs'

/** The settings of README's comparison. */
export const settingsFile = join(root, 'docs', 'benchmarks', 'ab', 'config.json')

/** The library is the benchmark's own; engines are the machine's. */
function enginesOfThisMachine() {
  if (process.env.GYRE_ENGINES) return process.env.GYRE_ENGINES
  const data = process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share')
  return join(process.env.GYRE_HOME ?? join(data, 'gyre'), 'engines')
}

/** Runs one command; resolves with its exit code and the value it printed. */
function gyre(library, args) {
  const env = { ...process.env, GYRE_HOME: library, GYRE_ENGINES: enginesOfThisMachine() }
  return new Promise((done) => {
    const child = spawn(process.execPath, [join(root, 'dist/main/cli.js'), ...args, '--json'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let out = ''
    child.stdout.on('data', (data) => (out += data))
    child.on('close', (code) => done({ code, value: out === '' ? null : JSON.parse(out) }))
  })
}

/** A command that must work. Ctrl+C reaches the command too: it keeps its run, and so ends this one. */
async function must(library, args) {
  const { code, value } = await gyre(library, args)
  if (code === 0) return value
  if (code === 130) process.exit(130)
  throw new Error(`gyre ${args[0]} ended with ${code}: ${value?.error?.message ?? ''}`)
}

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

/** Trains until the run has ended; one that diverged has ended too. */
async function train(library, out, args) {
  const runFile = join(out, 'run.json')
  const ended = () => existsSync(runFile) && ['finished', 'diverged'].includes(readJson(runFile).status)
  if (ended()) return
  const command = existsSync(runFile) ? ['resume', out] : ['train', ...args, '--out', out]
  const { code, value } = await gyre(library, command)
  if (code === 130) process.exit(130)
  if (!ended()) throw new Error(`gyre ${command[0]} ended with ${code}: ${value?.error?.message ?? ''}`)
}

/** The last step's metrics (`train` may report another one's), and those of every evaluation. */
async function resultOf(library, out) {
  const run = readJson(join(out, 'run.json'))
  const about = { engine: run.engine.id, trainedMs: Math.round(run.trainedMs) }
  if (run.status === 'diverged') return { ...about, step: run.step, validation: null }
  const { step, validation } = await must(library, ['evaluate', out, '--checkpoint', 'last'])
  const history = readFileSync(join(out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter((record) => record.kind === 'evaluation')
    .map((record) => ({ step: record.step, ...record.validation }))
  return { ...about, step, validation, history }
}

/**
 * Trains each variant once a seed and writes `resultsFile` after every run.
 * @param options.name folder of the runs under `.cache`
 * @param options.variants each with an `id`, `settings` for --set, and `about`: what its results are filed under
 * @param options.afterEach called with all results after every run
 */
export async function trainAll({ name, config, resultsFile, variants, seeds, afterEach = () => undefined }) {
  await ensureBuilt()
  const library = join(root, '.cache', name)
  mkdirSync(library, { recursive: true })
  mkdirSync(dirname(resultsFile), { recursive: true })
  const results = existsSync(resultsFile) ? readJson(resultsFile) : { runs: [] }
  results.machine = { cpu: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version }
  const isOf = (run, { about }, seed) =>
    run.seed === seed && Object.entries(about).every(([key, value]) => run[key] === value)
  // A seed after the other, so that every variant has a result early.
  for (const seed of seeds)
    for (const variant of variants) {
      if (results.runs.some((run) => isOf(run, variant, seed))) continue
      process.stderr.write(`${variant.id}, seed ${seed}\n`)
      const out = join(library, `${variant.id}-${seed}`)
      const settings = ['--config', config, '--set', ...variant.settings, '--seed', String(seed)]
      await train(library, out, ['--data', 'sample', ...settings])
      results.runs.push({ ...variant.about, seed, ...(await resultOf(library, out)) })
      writeFileSync(resultsFile, `${JSON.stringify(results, null, 2)}\n`)
      afterEach(results)
    }
  return results
}
