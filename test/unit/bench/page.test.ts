// From raw figures to the page's tables: ratios, targets over several runs, and what is missing.
import { describe, expect, it } from 'vitest'
import { defaultConfig, parseConfig } from '#shared/config/index'
import { intoPage } from '../../../resources/scripts/markers.mjs'
import type { Measured, Missing } from '../../bench/speed/interleave'
import { stepOperations } from '../../bench/speed/arithmetic'
import { sections } from '../../bench/speed/page'
import type { RawFile } from '../../bench/speed/raw'
import { targetsOf } from '../../bench/speed/targets'

const side = (name: string, medianMs: number, more: Partial<Measured> = {}): Measured => ({
  name,
  owner: name.startsWith('PyTorch') ? 'pytorch' : 'gyre',
  precision: name.includes('b16') || name.includes('bfloat16') ? 'bfloat16' : 'float32',
  firstStepMs: 2000,
  minMs: medianMs - 1,
  medianMs,
  steps: 60,
  roundMs: [medianMs],
  dataWaitFraction: null,
  peakRssBytes: 500e6,
  ...more,
})

const raw = (part: string, results: (Measured | Missing)[]): RawFile => ({
  part,
  title: `Title of ${part}`,
  quick: false,
  machine: {
    cpu: 'A processor',
    cores: 2,
    memoryBytes: 8e9,
    bfloat16: [],
    node: 'v20',
    torch: 'PyTorch 2',
    productRate: 160e9,
  },
  load: 0,
  measuredAt: '2026-01-01T00:00:00.000Z',
  plan: { rounds: 1, turnMs: 1 },
  points: [{ value: 0, config: { ...defaultConfig, batchSize: 16 }, parameters: 1234, results }],
})

const files = (...all: RawFile[]): Map<string, RawFile> => new Map(all.map((one) => [one.part, one]))

const step = (compiledMs: number): RawFile =>
  raw('step-small-rotation', [
    side('Gyre, eager', 200),
    side('Gyre, compiled', compiledMs, { dataWaitFraction: 0.01 }),
    side('PyTorch, eager', 120, { peakRssBytes: 400e6 }),
    side('PyTorch, channels-last', 100),
    side('PyTorch, b16', 50),
    { name: 'PyTorch, compile', owner: 'pytorch', precision: 'float32', missing: 'No compiler.\nA trace.' },
  ])

describe('targets', () => {
  it('are ratios to the fastest and the smallest of the peer in the same precision', () => {
    expect(targetsOf(files(step(75)))).toEqual([
      {
        what: 'Time of a step, compiled',
        where: 'small, rotation',
        limit: 0.8,
        value: 0.75,
        against: 'PyTorch’s fastest',
      },
      {
        what: 'Peak memory, compiled',
        where: 'small, rotation',
        limit: 1,
        value: 1.25,
        against: 'PyTorch’s thriftiest',
      },
      {
        what: 'Time of a step, compiled',
        where: 'small, rotation',
        limit: 0.4,
        value: 0.375,
        against: 'Gyre, eager',
      },
    ])
  })

  it('compare rotation and ste round by round, and WASM with each native way', () => {
    const rotation = raw('rotation-and-ste', [
      side('Gyre, compiled, rotation', 100, { roundMs: [100, 210, 99] }),
      side('Gyre, compiled, ste', 100, { roundMs: [100, 200, 100] }),
    ])
    const engines = raw('engines', [
      side('TensorFlow, as a run trains', 100, { dataWaitFraction: 0.03 }),
      side('TensorFlow, eager', 200),
      side('WASM, as a run trains', 1000),
    ])
    const found = targetsOf(files(rotation, engines)).map(({ what, value }) => [what, value])
    expect(found).toEqual([
      ['Rotation (Gyre, compiled)', 1],
      ['WASM', 10],
      ['WASM', 5],
      ['Wait for images', 0.03],
    ])
  })
})

describe('the page', () => {
  it('shows the last run, the ratios of both, and reached only where both reach', () => {
    const texts = sections(
      new Map([
        [1, files(step(75))],
        [2, files(step(90))],
      ]),
    )
    const rows = texts['targets']?.split('\n') ?? []
    expect(rows[2]).toContain('| ≤ 0.8 | 0.750 | 0.900 | **not reached** |')
    expect(rows.find((row) => row.includes('Gyre, eager'))).toContain('| 0.375 | 0.450 | **not reached** |')
    expect(texts['steps']).toContain(
      '| Gyre, compiled | 2.0 | 89.0 | 90.0 | 11.1 | 178 | 1.0 % | 500 | 0.90 |',
    )
    expect(texts['steps']).toContain('| PyTorch, compile | not measured: No compiler. |')
    expect(texts['curves']).toBe('Not measured yet.')
    expect(texts['machine']).toContain('A processor, 2 cores')
  })

  it('goes between its markers and nowhere else', () => {
    const page = 'Before <!-- a --> old <!-- /a --> after'
    expect(intoPage(page, { a: 'new' })).toBe('Before <!-- a -->\n\nnew\n\n<!-- /a --> after')
    expect(() => intoPage(page, { b: 'new' })).toThrow('<!-- b -->')
  })
})

describe('the arithmetic of a step', () => {
  it('is that of its convolutions, three times but for the gradient of the images, and of the search', () => {
    const config = parseConfig({
      ...{ imageSize: 16, batchSize: 3, channels: 16, residualBlocks: 1, codebookSize: 16, codeDim: 4 },
    })
    // Multiplications of the network “quick”: window, channels in and out, places.
    const first = 4 * 4 * 3 * 8 * 8 * 8
    const block = 3 * 3 * 16 * 4 * 4 * 4 + 4 * 16 * 4 * 4
    const encoder = first + 4 * 4 * 8 * 16 * 4 * 4 + 3 * 3 * 16 * 16 * 4 * 4 + block + 16 * 4 * 4 * 4
    const decoder = 3 * 3 * 4 * 16 * 4 * 4 + block + 4 * 4 * 16 * 8 * 4 * 4 + 4 * 4 * 8 * 3 * 8 * 8
    const search = 4 * 4 * 16 * 4
    expect(stepOperations(config)).toBe(2 * 3 * (3 * (encoder + decoder) - first + search))
  })
})
