// What Gyre wants to reach, and the figures that say whether it does. Pure.
import { median } from '#shared/median'
import { isMeasured, type Measured } from './interleave'
import type { RawFile } from './raw'

export interface Target {
  what: string
  where: string
  limit: number
  value: number
  /** What it was compared with. Which of PyTorch's ways that is may differ from run to run. */
  against: string
}

type Precision = Measured['precision']

/** `step-small-rotation` → `small, rotation` */
export const shortName = ({ part }: RawFile): string =>
  part.replace('step-', '').replaceAll('-', ', ').replace(', and,', ' and')

const measuredOf = (raw: RawFile | undefined): Measured[] => raw?.points[0]?.results.filter(isMeasured) ?? []

/** The side of the peer with the smallest figure in that precision. */
export function bestPeer(
  all: readonly Measured[],
  precision: Precision,
  figure: (side: Measured) => number,
): Measured | undefined {
  const peers = all.filter((side) => side.owner === 'pytorch' && side.precision === precision)
  return peers.sort((a, b) => figure(a) - figure(b))[0]
}

const medianMs = (side: Measured): number => side.medianMs
const memory = (side: Measured): number => side.peakRssBytes

function stepTargets(raw: RawFile): Target[] {
  const all = measuredOf(raw)
  const where = shortName(raw)
  const found: Target[] = []
  const eager = all.find(({ name }) => name === 'Gyre, eager')
  const add = (what: string, limit: number, ours: number, theirs: number, against: string): void =>
    void found.push({ what, where, limit, value: ours / theirs, against })
  for (const [name, precision] of [
    ['compiled', 'float32'],
    ['compiled, bfloat16', 'bfloat16'],
  ] as const) {
    const ours = all.find((side) => side.name === `Gyre, ${name}`)
    const fastest = bestPeer(all, precision, medianMs)
    const smallest = bestPeer(all, precision, memory)
    if (!ours) continue
    if (fastest) add(`Time of a step, ${name}`, 0.8, ours.medianMs, fastest.medianMs, 'PyTorch’s fastest')
    if (smallest) add(`Peak memory, ${name}`, 1, memory(ours), memory(smallest), 'PyTorch’s thriftiest')
    if (eager && precision === 'float32')
      add('Time of a step, compiled', 0.4, ours.medianMs, eager.medianMs, eager.name)
  }
  return found
}

/** Medians of the rounds, each divided by that of the other side in the same round; then the median of those. */
function pairedRatio(one: Measured, other: Measured): number {
  return median(one.roundMs.map((ms, round) => ms / (other.roundMs[round] ?? Number.NaN)))
}

function rotationTargets(raw: RawFile | undefined): Target[] {
  const all = measuredOf(raw)
  return ['Gyre, compiled', 'PyTorch, channels-last'].flatMap((owner) => {
    const of = (estimator: string): Measured[] =>
      all.filter(({ name }) => name.startsWith(`${owner}, ${estimator}`))
    const ste = of('ste')
    const ratios = of('rotation').flatMap((rotation, pair) =>
      ste[pair] ? [pairedRatio(rotation, ste[pair])] : [],
    )
    if (!raw || ratios.length === 0) return []
    const value = ratios.reduce((a, b) => a + b, 0) / ratios.length
    return [{ what: `Rotation (${owner})`, where: 'small', limit: 1.01, value, against: 'ste' }]
  })
}

function engineTargets(raw: RawFile | undefined): Target[] {
  const all = measuredOf(raw)
  const wasm = all.find(({ name }) => name.startsWith('WASM'))
  const found: Target[] = []
  if (!raw) return found
  for (const native of all.filter(({ name }) => name.startsWith('TensorFlow')))
    if (wasm) {
      const value = wasm.medianMs / native.medianMs
      found.push({ what: 'WASM', where: 'Quick look', limit: 6, value, against: native.name })
    }
  const usual = all.find(({ name }) => name === 'TensorFlow, as a run trains')
  if (usual?.dataWaitFraction != null)
    found.push({
      what: 'Wait for images',
      where: 'Quick look',
      limit: 0.02,
      value: usual.dataWaitFraction,
      against: 'the time of a step',
    })
  return found
}

/** Of one run's files. */
export function targetsOf(files: ReadonlyMap<string, RawFile>): Target[] {
  const steps = [...files.values()].filter(({ part }) => part.startsWith('step-'))
  return [
    ...steps.flatMap(stepTargets),
    ...rotationTargets(files.get('rotation-and-ste')),
    ...engineTargets(files.get('engines')),
  ]
}
