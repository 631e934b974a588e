// The generated tables of docs/performance.md: the latest figures of a part, ratios of every run. Pure; the prose between the
// tables is written by hand.
import type { RunConfig } from '#shared/config/index'
import { stepOperations } from './arithmetic'
import { isMeasured, type Measured, type Result } from './interleave'
import type { RawFile } from './raw'
import { bestPeer, shortName, targetsOf, type Target } from './targets'

export type Runs = ReadonlyMap<number, ReadonlyMap<string, RawFile>>

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const ms = (value: number): string => (value < 1000 ? value.toFixed(1) : value.toFixed(0))
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)
const rate = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(value < 100 ? 1 : 0))

function machineTable(raw: RawFile): string {
  const { cpu, cores, memoryBytes, bfloat16, node, torch, productRate } = raw.machine
  return table(
    ['', ''],
    [
      ['processor', `${cpu}, ${cores} cores`],
      ['bfloat16', bfloat16.join(', ') || 'not known'],
      ['memory', `${(memoryBytes / 1e9).toFixed(0)} GB`],
      ['a product of 2,048×2,048 matrices in float32', `${(productRate / 1e9).toFixed(0)} GFLOP/s`],
      ['Gyre', `Node ${node}`],
      ['peer', torch ?? 'not installed: nothing to compare with'],
    ],
  )
}

const keyOf = ({ what, where, against, limit }: Target): string =>
  JSON.stringify([what, where, limit, against])

function targetTable(runs: Runs): string {
  const byRun = [...runs].map(([number, files]) => ({ number, targets: targetsOf(files) }))
  const all = new Map(byRun.flatMap(({ targets }) => targets.map((target) => [keyOf(target), target])))
  const rows = [...all].map(([key, { what, where, limit, against }]) => {
    const values = byRun.map(({ targets }) => targets.find((target) => keyOf(target) === key)?.value)
    const present = values.filter((value) => value !== undefined)
    const reached = present.every((value) => value <= limit)
    const figures = values.map((value) => value?.toFixed(3) ?? '–')
    return [what, where, against, `≤ ${limit}`, ...figures, reached ? 'reached' : '**not reached**']
  })
  const numbers = byRun.map(({ number }) => `run ${number}`)
  return table(['what', 'where', 'divided by', 'target', ...numbers, ''], rows)
}

function ratioToPeer(side: Measured, all: readonly Measured[]): string {
  const best = bestPeer(all, side.precision, ({ medianMs }) => medianMs)
  return best ? (side.medianMs / best.medianMs).toFixed(2) : '–'
}

function sideRow(side: Result, all: readonly Measured[], images: number): string[] {
  if (!isMeasured(side)) return [side.name, `not measured: ${side.missing.split('\n')[0] ?? ''}`]
  const { name, firstStepMs, minMs, medianMs, dataWaitFraction, peakRssBytes } = side
  return [
    name,
    (firstStepMs / 1000).toFixed(1),
    ms(minMs),
    ms(medianMs),
    rate(1000 / medianMs),
    rate((1000 * images) / medianMs),
    dataWaitFraction === null ? '–' : `${(100 * dataWaitFraction).toFixed(1)} %`,
    megabytes(peakRssBytes),
    ratioToPeer(side, all),
  ]
}

const sideHead = [
  ...['', 'first step, s', 'least ms', 'median ms', 'steps/s', 'images/s', 'waiting', 'memory, MB'],
  'to PyTorch’s best',
]

/** What a compiled step computes in a second, beside a product of matrices on the same machine. */
function boundOf({ machine }: RawFile, config: RunConfig, all: readonly Measured[]): string {
  const compiled = all.find(({ name }) => name.startsWith('Gyre, compiled'))
  const operations = stepOperations(config)
  const arithmetic = `A step is ${(operations / 1e9).toFixed(1)} GFLOP of convolutions and products`
  if (!compiled) return `${arithmetic}.`
  const rateOf = operations / (compiled.medianMs / 1000)
  const share = ((100 * rateOf) / machine.productRate).toFixed(0)
  return `${arithmetic}; compiled, that is ${(rateOf / 1e9).toFixed(0)} GFLOP/s, ${share} % of what a product of matrices reaches.`
}

function stepTable(raw: RawFile): string {
  return raw.points
    .map(({ config, parameters, results }) => {
      const all = results.filter(isMeasured)
      const steps = Math.max(0, ...all.map((side) => side.steps))
      const rows = results.map((side) => sideRow(side, all, config.batchSize))
      const counted = `${parameters.toLocaleString('en')} parameters; up to ${steps} steps each; load before ${raw.load.toFixed(1)}.`
      return `**${shortName(raw)}**: ${raw.title}. ${counted} ${boundOf(raw, config, all)}\n\n${table(sideHead, rows)}`
    })
    .join('\n\n')
}

/** A row a value; of each side its time, images a second and memory. */
function curveTable(raw: RawFile): string {
  const names = [...new Set(raw.points.flatMap(({ results }) => results.map(({ name }) => name)))]
  const rows = raw.points.map(({ value, config, results }) => {
    const cells = names.map((name) => {
      const side = results.find((result) => result.name === name)
      if (!side || !isMeasured(side)) return '–'
      const images = rate((1000 * config.batchSize) / side.medianMs)
      return `${ms(side.medianMs)} · ${images} · ${megabytes(side.peakRssBytes)}`
    })
    return [value.toLocaleString('en'), ...cells]
  })
  return `**${raw.title}** (median ms · images/s · MB)\n\n${table([raw.title, ...names], rows)}`
}

/** Of a dataset's size: opening it, and waiting for it. */
function datasetTable(raw: RawFile): string {
  const rows = raw.points.flatMap(({ value, config, results }) =>
    results.filter(isMeasured).map((side) => {
      const [, first = '', , medianMs = '', , images = '', waiting = '', memory = ''] = sideRow(
        side,
        [],
        config.batchSize,
      )
      return [value.toLocaleString('en'), first, medianMs, images, waiting, memory]
    }),
  )
  const head = ['images', 'first step, s', 'median ms', 'images/s', 'waiting', 'memory, MB']
  return `**${raw.title}**\n\n${table(head, rows)}`
}

/** Each section's text by its marker. */
export function sections(runs: Runs): Record<string, string> {
  // A part that the last run left out is shown from the run before.
  const files = [...new Map([...runs.values()].flatMap((run) => [...run])).values()]
  const [first] = files
  if (!first) return {}
  const of = (prefix: string): RawFile[] => files.filter(({ part }) => part.startsWith(prefix))
  const curves = of('curve-').map((raw) =>
    raw.part === 'curve-dataset' ? datasetTable(raw) : curveTable(raw),
  )
  const together = (tables: readonly string[]): string => tables.join('\n\n') || 'Not measured yet.'
  return {
    machine: machineTable(first),
    targets: targetTable(runs),
    steps: together(of('step-').map(stepTable)),
    rotation: together(of('rotation-').map(stepTable)),
    engines: together(of('engines').map(stepTable)),
    curves: together(curves),
  }
}
