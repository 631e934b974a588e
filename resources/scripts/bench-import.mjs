// `npm run bench:import`: imports against Pillow on the same cores, written to docs/benchmarks/import.json. The first run
// makes 300 photographs (1 GB, some minutes) in .cache and fetches Pillow.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ensureBuilt, root } from './build.mjs'

const usage = `npm run bench:import
  Imports the sample and 300 photographs in Gyre and in Pillow, in turns; about three minutes once the photographs are made.
  GYRE_BENCH_ROUNDS  how many rounds, 15 by default
  GYRE_PYTHON        a Python that has pillow; else it is fetched`
const [unknown] = process.argv.slice(2)
if (unknown !== undefined) {
  process.stdout.write(unknown === '--help' ? `${usage}\n` : `Unknown option ${unknown}.\n${usage}\n`)
  process.exit(unknown === '--help' ? 0 : 2)
}
await ensureBuilt()
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const child = spawn(
  process.execPath,
  [vitest, 'run', '--project', 'bench', 'test/bench/import.bench.test.ts'],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, GYRE_BENCH_OUT: process.env.GYRE_BENCH_OUT ?? join('docs', 'benchmarks') },
  },
)
child.on('close', (code) => (process.exitCode = code ?? 1))
