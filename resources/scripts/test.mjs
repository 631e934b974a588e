// `npm test`: check, then the unit, integration and end-to-end suites; sets up the engine first. The last line is
// `N passed, N failed, N skipped`, the sum of all suites and of the checks.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureBuilt, root } from './build.mjs'

const scripts = import.meta.dirname
const folder = mkdtempSync(join(tmpdir(), 'gyre-test-'))
const counts = join(folder, 'counts.jsonl')

function attached(script, args, env = {}) {
  return new Promise((done) => {
    const child = spawn(process.execPath, [script, ...args], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    })
    child.on('close', (code) => done(code ?? 1))
  })
}

function heading(name) {
  process.stdout.write(`\n== ${name}\n`)
  return Date.now()
}

const total = { passed: 0, failed: 0, skipped: 0 }
const times = []
async function part(name, act) {
  const started = heading(name)
  const code = await act()
  times.push(`${name} ${((Date.now() - started) / 1000).toFixed(0)} s`)
  return code
}

if ((await part('check', () => attached(join(scripts, 'check.mjs'), []))) !== 0) total.failed++
else total.passed++

await part('build', ensureBuilt)
// The suites say themselves what they miss when the engine can't be had here.
await part('engine', () => attached(join(root, 'dist/main/cli.js'), ['engine', 'install', 'tensorflow-cpu']))

const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
for (const project of ['unit', 'integration', 'e2e']) {
  const reporters = ['--reporter=default', `--reporter=${join(scripts, 'count-reporter.mjs')}`]
  const code = await part(project, () =>
    attached(vitest, ['run', '--project', project, ...reporters], { GYRE_TEST_COUNTS: counts }),
  )
  const lines = readLines()
  const last = lines.at(-1)
  // A suite that ends badly without a failed test (no test found, a crash) is a failure.
  if (code !== 0 && (!last || last.failed === 0)) total.failed++
}

function readLines() {
  try {
    return readFileSync(counts, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  } catch {
    return []
  }
}

for (const line of readLines()) for (const key of Object.keys(total)) total[key] += line[key]
rmSync(folder, { recursive: true, force: true })
process.stdout.write(`\ntimes: ${times.join(', ')}\n`)
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
process.exitCode = total.failed ? 1 : 0
