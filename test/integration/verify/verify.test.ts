// The built command line: `gyre verify` on every file of reference vectors and every engine (WebGPU on a graphics card
// in software), and how it ends when something is wrong. `gyre engine test` runs the bundled ones.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyResult } from '#main/cli/results'
import { installEngine, listEngines } from '#main/engine/index'
import { installSoftwareGpu, noSoftwareGpu } from '../../support/software-gpu'
import { vectorFiles } from '../../support/vector-files'
import { ensureBuilt, gyre } from '../cli/run-gyre'

let folder: string
let library: string

beforeAll(async () => {
  await ensureBuilt()
  folder = await mkdtemp(join(tmpdir(), 'gyre-verify-'))
  library = join(folder, 'library')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

if (noSoftwareGpu === null) {
  installSoftwareGpu()
  process.env.GYRE_SOFTWARE_GPU = '1'
}
await installEngine('tensorflow-cpu').catch(() => undefined)
const all = await listEngines()
for (const { id, available, reason } of all) if (!available) console.warn(`${id} is not tested: ${reason}`)
const engines = all.filter(({ available }) => available).map(({ id }) => id)

const estimators = vectorFiles.find(({ name }) => name === 'estimators')?.file ?? ''

/** The file of estimators with one number changed. */
async function changed(name: string, change: (first: Record<string, unknown>) => void): Promise<string> {
  const contents = JSON.parse(await readFile(estimators, 'utf8')) as { cases: Record<string, unknown>[] }
  const [first] = contents.cases
  if (first) change(first)
  const file = join(folder, name)
  await writeFile(file, JSON.stringify({ cases: contents.cases.slice(0, 2) }))
  return file
}

describe.each(engines)('on %s', (engine) => {
  test.each(vectorFiles)('$kind $name passes', async ({ kind, file, cases }) => {
    const { code, json, stderr } = await gyre(
      library,
      'verify',
      `--${kind}`,
      file,
      '--engine',
      engine,
      '--json',
    )
    expect(stderr).not.toMatch(/error/i)
    const result = verifyResult.parse(json)
    expect(result.engine).toBe(engine)
    expect(result.cases.filter(({ pass }) => !pass)).toEqual([])
    expect(result.cases).toHaveLength(cases)
    expect(result.cases.every(({ indicesEqual }) => indicesEqual)).toBe(true)
    expect([result.pass, code]).toEqual([true, 0])
  })

  test('engine test includes the bundled estimators', async () => {
    const { code, json } = await gyre(library, 'engine', 'test', engine, '--json')
    expect(code).toBe(0)
    const { checks } = json as { checks: { name: string; error: number; pass: boolean }[] }
    const rotation = checks.find(({ name }) => name === 'rotation, 64 dimensions')
    expect(rotation?.pass).toBe(true)
    expect(rotation?.error).toBeLessThan(1e-5)
    expect(rotation?.error).toBeGreaterThan(0)
  })
})

test('a wrong vector ends with 1 and says which', async () => {
  const file = await changed('wrong.json', (first) => {
    const rows = first['grad_z'] as number[][]
    if (rows[0]) rows[0][0] = (rows[0][0] ?? 0) + 1e-3
  })
  const { code, stdout, json } = await gyre(
    library,
    'verify',
    '--estimators',
    file,
    '--engine',
    'wasm',
    '--json',
  )
  expect(code).toBe(1)
  expect(verifyResult.parse(json)).toMatchObject({
    pass: false,
    cases: [
      { name: 'ste', pass: false, indicesEqual: true },
      { name: 'rotation', pass: true },
    ],
  })
  expect(stdout.trim().split('\n')).toHaveLength(1)
  const shown = await gyre(library, 'verify', '--estimators', file, '--engine', 'wasm')
  expect(shown.code).toBe(1)
  expect(shown.stdout).toMatch(/✗ ste\s+2 .*gradZ/)
  expect(shown.stdout).toMatch(/✓ rotation\s+2 /)
  expect(shown.stdout).toMatch(/1 of 2 cases do not agree/)
})

test('an unknown name ends with 1 and names it', async () => {
  const file = await changed('unknown.json', (first) => (first['estimator'] = 'telepathy'))
  const { code, stdout } = await gyre(library, 'verify', '--estimators', file, '--engine', 'wasm')
  expect(code).toBe(1)
  expect(stdout).toMatch(/✗ telepathy.*not supported/)
})

test('a file of another form ends with 1 and says where it is wrong', async () => {
  const { code, stderr, json } = await gyre(
    library,
    'verify',
    '--layer',
    estimators,
    '--engine',
    'wasm',
    '--json',
  )
  expect(code).toBe(1)
  expect(stderr).toMatch(/estimators\.json.*runs/)
  expect(json).toMatchObject({ error: { code: 'invalid-input' } })
})

test.each([
  ['no file', []],
  ['two files', ['--estimators', estimators, '--layer', estimators]],
  ['a file that is not there', ['--estimators', '/nowhere.json']],
  ['an unknown engine', ['--estimators', estimators, '--engine', 'abacus']],
])('%s is wrong usage', async (_, args) => {
  const { code, stdout, stderr } = await gyre(library, 'verify', ...args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr.length).toBeGreaterThan(10)
})
