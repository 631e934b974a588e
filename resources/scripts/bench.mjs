// `npm run bench`: training steps beside PyTorch's, and how they scale; writes docs/performance.md and its raw figures.
// Can be stopped: the next call goes on with the part that was not measured yet.
import { spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBuilt, root } from './build.mjs'

const usage = `npm run bench -- [--quick] [--run N] [--fresh] [PART …]
  --quick   small sizes and few rounds, about five minutes; prints, and leaves docs/ alone
  --run N   measures into run N (default 1); the page shows the ratios of every run
  --fresh   forgets what this run has measured
  PART      only these: step-SIZE-ESTIMATOR (small, codes, paper; rotation, ste), rotation-and-ste, engines,
            curve-batch, curve-codes, curve-image, curve-dataset
Without a Python that has torch and vector-quantize-pytorch (python3, or the one GYRE_PYTHON names;
GYRE_PEERS=1 installs them) Gyre is measured alone.`

function readArgs(args) {
  const options = { quick: false, fresh: false, run: '1', parts: [] }
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]
    if (arg === '--quick') options.quick = true
    else if (arg === '--fresh') options.fresh = true
    else if (arg === '--run' && /^\d+$/.test(args[i + 1] ?? '')) options.run = args[++i]
    else if (!arg.startsWith('-')) options.parts.push(arg)
    else {
      process.stdout.write(arg === '--help' ? `${usage}\n` : `Unknown option ${arg}.\n${usage}\n`)
      process.exit(arg === '--help' ? 0 : 2)
    }
  }
  return options
}

const { quick, fresh, run, parts } = readArgs(process.argv.slice(2))
const unknown = parts.find(
  (part) =>
    !/^(step-(small|codes|paper)-(rotation|ste)|curve-(batch|codes|dataset|image)|engines|rotation-and-ste)$/.test(
      part,
    ),
)
if (unknown !== undefined) {
  process.stdout.write(`There is no part “${unknown}”.\n${usage}\n`)
  process.exit(2)
}
const folder = quick ? join(root, '.cache', 'bench-quick') : join(root, 'docs', 'benchmarks', 'performance')
// A quick measurement is always a new one.
if (fresh || quick) rmSync(join(folder, `run-${run}`), { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
await ensureBuilt()

const env = { ...process.env, GYRE_BENCH_SPEED: folder, GYRE_BENCH_RUN: run }
if (quick) env.GYRE_BENCH_QUICK = '1'
else env.GYRE_BENCH_PAGE = join(root, 'docs', 'performance.md')
if (parts.length > 0) env.GYRE_BENCH_PARTS = parts.join(',')
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const child = spawn(process.execPath, [vitest, 'run', '--project', 'bench', 'test/bench/speed'], {
  cwd: root,
  env,
  stdio: 'inherit',
})
child.on('close', (code) => process.exit(code ?? 1))
