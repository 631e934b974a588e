// `gyre bench step` through the built command line: one JSON value, and null with the reason where an engine has no
// compiled step.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stepBenchResult } from '#main/cli/results'
import { ensureBuilt, gyre, tiny } from './run-gyre'

let root: string
let temporary: string
beforeAll(async () => {
  await ensureBuilt()
  root = await mkdtemp(join(tmpdir(), 'gyre-cli-bench-'))
  temporary = join(root, 'temporary')
  await mkdir(temporary)
  // Of the commands that are started here.
  process.env['TMPDIR'] = temporary
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('gyre bench step', () => {
  it('times all three kinds of step on TensorFlow, and leaves nothing behind', async () => {
    const file = join(root, 'config.json')
    await writeFile(file, JSON.stringify({ imageSize: 16, channels: 8, batchSize: 4, codebookSize: 16 }))
    const args = ['--config', file, '--engine', 'tensorflow-cpu', '--steps', '4', '--json']
    const found = await gyre(join(root, 'library'), 'bench', 'step', ...args)
    expect(found, found.stderr).toMatchObject({ code: 0 })
    const result = stepBenchResult.strict().parse(found.json)
    expect(result.engine).toBe('tensorflow-cpu')
    for (const ms of [result.eagerMs, result.compiledMs]) expect(ms).toBeGreaterThan(0)
    // Not every processor has bfloat16.
    expect(Object.keys(result.reasons)).toEqual(result.compiledBf16Ms === null ? ['compiledBf16Ms'] : [])
    expect(result.dataWaitFraction).toBeGreaterThanOrEqual(0)
    expect(result.dataWaitFraction).toBeLessThan(1)
    expect(result.peakRssBytes).toBeGreaterThan(100e6)
    expect(await readdir(temporary)).toEqual([])
  })

  it('says why WASM has no compiled step', async () => {
    const args = ['--set', ...tiny, '--engine', 'wasm', '--steps', '1']
    const found = await gyre(join(root, 'library'), 'bench', 'step', ...args, '--json')
    expect(found, found.stderr).toMatchObject({ code: 0 })
    const result = stepBenchResult.strict().parse(found.json)
    expect(result).toMatchObject({ engine: 'wasm', compiledMs: null, compiledBf16Ms: null })
    expect(Object.keys(result.reasons)).toEqual(['compiledMs', 'compiledBf16Ms'])
    const words = await gyre(join(root, 'library'), 'bench', 'step', ...args)
    expect(words.stdout).toContain(`none: ${result.reasons.compiledMs}`)
  })

  it('refuses what it can’t measure with', async () => {
    const none = await gyre(join(root, 'library'), 'bench', 'step', '--steps', '0', '--json')
    expect(none).toMatchObject({ code: 2 })
    const missing = await gyre(join(root, 'library'), 'bench', 'step', '--config', join(root, 'no.json'))
    expect(missing.code).toBe(2)
  })
})
