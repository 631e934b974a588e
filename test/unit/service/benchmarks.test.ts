// Measurements of engines on disk: the latest of each, and none where the file is damaged.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Benchmarks, thisMachine } from '../../../src-main/service/benchmarks'
import { fakeBenchmark } from '../../support/fake-engines'
import { withFolder } from '../../support/folders'

it('keeps the latest measurement of each engine', async () => {
  await withFolder(async (folder) => {
    const file = join(folder, 'benchmarks.json')
    const kept = new Benchmarks(file)
    expect(await kept.list()).toEqual([])
    const [wasm, native] = [fakeBenchmark('wasm'), fakeBenchmark('tensorflow-cpu')]
    await kept.keep(wasm)
    await kept.keep(native)
    const again = { ...wasm, measuredAt: '2026-01-01T00:00:00.000Z', machine: thisMachine() }
    await kept.keep(again)
    expect(await new Benchmarks(file).list()).toEqual([native, again])
    await writeFile(file, (await readFile(file, 'utf8')).slice(0, 40))
    expect(await kept.list()).toEqual([])
    await kept.keep(wasm)
    expect(await kept.list()).toEqual([wasm])
  })
})
