// `npm run check`: types, lint, format, layers and dead code; every one must be free of warnings.
import { cpus } from 'node:os'
import { tool } from './build.mjs'

const steps = [
  ['types: shared', 'tsc', ['-p', 'tsconfig.shared.json']],
  ['types: main', 'tsc', ['-p', 'tsconfig.main.json']],
  ['types: window', 'vue-tsc', ['-p', 'tsconfig.renderer.json']],
  ['types: tests', 'vue-tsc', ['-p', 'tsconfig.test.json']],
  ['lint', 'eslint', ['.', '--max-warnings', '0']],
  ['format', 'prettier', ['--check', '--log-level', 'warn', '.']],
  [
    'layers',
    'depcruise',
    ['src-main', 'src-shared', 'src-renderer', '--config', '.dependency-cruiser.cjs', '--output-type', 'err'],
  ],
  ['dead code', 'knip', ['--no-progress', '--treat-config-hints-as-errors']],
]

let failed = 0
const queue = [...steps]
async function work() {
  for (let step = queue.shift(); step; step = queue.shift()) {
    const [name, command, args] = step
    const started = Date.now()
    const { code, output } = await tool(command, args)
    if (code !== 0) failed++
    process.stdout.write(
      `${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`,
    )
    if (code !== 0) process.stdout.write(`${output.trim()}\n`)
  }
}
await Promise.all(Array.from({ length: Math.min(2, cpus().length) }, work))
process.stdout.write(`check: ${steps.length - failed} of ${steps.length} ok\n`)
process.exitCode = failed ? 1 : 0
