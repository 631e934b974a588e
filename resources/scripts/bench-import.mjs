// `npm run bench:import`: imports against Pillow on the same cores, written to docs/benchmarks/import.json. The first run
// makes 300 photographs (1 GB, some minutes) in .cache and fetches Pillow.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ensureBuilt, root } from './build.mjs'

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
