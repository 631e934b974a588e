// `npm run bench`: training steps beside PyTorch's. Runs the parts that were not measured yet, and renews the page after
// each. Measures and reports; asserts nothing about time.
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { intoPage } from '../../../resources/scripts/markers.mjs'
import { peersPython } from '../../support/peers'
import { isMeasured } from './interleave'
import { sections } from './page'
import { parts } from './parts'
import { machineOf, rawFileOf, readRuns, writeRaw, type Machine } from './raw'

const quick = process.env['GYRE_BENCH_QUICK'] === '1'
const folder = process.env['GYRE_BENCH_SPEED'] ?? join(tmpdir(), 'gyre-bench')
const run = Number(process.env['GYRE_BENCH_RUN'] ?? 1)
const only = process.env['GYRE_BENCH_PARTS']?.split(',')
const page = process.env['GYRE_BENCH_PAGE']
const runFolder = join(folder, `run-${run}`)
const say = (line: string): void => void process.stderr.write(`${line}\n`)

const chosen = parts.filter(({ id, long }) => (only ? only.includes(id) : !quick || long !== true))
const python = await peersPython()
let machine: Machine

beforeAll(async () => {
  if ('missing' in python) say(`There is nothing to compare with: ${python.missing}`)
  machine = await machineOf(python)
})

async function renewPage(): Promise<void> {
  const texts = sections(await readRuns(folder))
  if (page === undefined) return
  await writeFile(page, intoPage(await readFile(page, 'utf8'), texts))
}

afterAll(async () => {
  const texts = sections(await readRuns(folder))
  if (page === undefined) say(Object.values(texts).join('\n\n'))
})

describe('speed', () => {
  it('knows every part that was asked for', () => {
    expect(only?.filter((id) => !parts.some((part) => part.id === id)) ?? []).toEqual([])
  })

  it.each(chosen)('$id', async (part) => {
    if (existsSync(rawFileOf(runFolder, part))) {
      say(`${part.id}: measured already.`)
      return
    }
    say(`${part.id}: ${part.title}`)
    const temporary = await mkdtemp(join(tmpdir(), 'gyre-bench-'))
    try {
      const context = { folder: temporary, python, quick, say }
      await writeRaw(runFolder, part, { quick, machine }, () => part.run(context))
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
    const raw = (await readRuns(folder)).get(run)?.get(part.id)
    const ours = raw?.points.flatMap(({ results }) => results).filter(({ owner }) => owner === 'gyre') ?? []
    await renewPage()
    expect(ours.filter((side) => !isMeasured(side))).toEqual([])
  })
})
