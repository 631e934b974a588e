import { appendFile, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { MetricsRecord, TrainRecord } from '#shared/contract/files'
import { openMetricsLog, readMetrics, readRecords, thin } from '#main/train/metrics-log'

let run: string
beforeEach(async () => (run = await mkdtemp(join(tmpdir(), 'gyre-log-'))))
afterEach(() => rm(run, { recursive: true }))

function record(step: number, extra: Partial<TrainRecord> = {}): TrainRecord {
  const numbers = {
    loss: 1 / step,
    mse: 1,
    commitmentLoss: 0,
    quantizationError: 0,
    learningRate: 0,
    gradientNorm: 0,
  }
  const speed = { stepsPerSecond: 1, imagesPerSecond: 1, dataWaitFraction: 0 }
  return { kind: 'train', step, epoch: step / 10, trainedMs: step, ...numbers, ...speed, ...extra }
}
const event = (step: number): MetricsRecord => ({
  kind: 'event',
  step,
  trainedMs: 0,
  event: 'checkpoint',
  message: 'x',
})

async function write(records: MetricsRecord[]): Promise<void> {
  const log = await openMetricsLog(run, () => true)
  for (const one of records) await log.append(one)
  await log.sync()
  await log.close()
}
async function all(): Promise<MetricsRecord[]> {
  const records: MetricsRecord[] = []
  for await (const one of readRecords(run)) records.push(one)
  return records
}
const path = (): string => join(run, 'metrics.jsonl')

test('a record torn at any byte is passed over by readers and cut off on opening', async () => {
  await write([record(1), record(2)])
  const whole = await readFile(path())
  const second = whole.indexOf(10) + 1
  for (let length = second; length < whole.length; length += 7) {
    await writeFile(path(), whole)
    await truncate(path(), length)
    expect(await all()).toEqual([record(1)])
    await write([record(3)])
    expect(await all()).toEqual([record(1), record(3)])
  }
})

test('opening at a step drops what came after it, and lines that are no records', async () => {
  await write([record(1), event(1), record(2), event(2), record(3)])
  await appendFile(path(), 'not json\n{"kind":"train","step":"no"}\n\0\0\0\n')
  const log = await openMetricsLog(run, ({ step }) => step <= 2)
  await log.append(record(4))
  await log.close()
  expect(await all()).toEqual([record(1), event(1), record(2), event(2), record(4)])
  expect((await readFile(path(), 'utf8')).split('\n')).toHaveLength(6)
  expect(await readdir(run)).toEqual(['metrics.jsonl'])
})

test('a record with a number that JSON cannot hold is refused rather than written', async () => {
  const log = await openMetricsLog(run, () => true)
  await expect(log.append(record(1, { loss: Number.NaN }))).rejects.toThrow()
  await log.close()
  expect(await all()).toEqual([])
})

test('a run without a log has no records', async () => {
  expect(await readMetrics(run, { afterStep: -1, maxPoints: 10 })).toEqual([])
})

test('reading thins training records only, evenly, and prefers those with window figures', async () => {
  const records = Array.from({ length: 5000 }, (_, i) =>
    record(i + 1, (i + 1) % 100 === 0 ? { usage: 0.5 } : {}),
  )
  await write([...records.slice(0, 700), event(700), ...records.slice(700)])
  const read = await readMetrics(run, { afterStep: 199, maxPoints: 20 })
  const training = read.filter((one) => one.kind === 'train')
  expect(training).toHaveLength(20)
  expect(read.filter((one) => one.kind === 'event')).toEqual([event(700)])
  expect(training.at(-1)?.step).toBe(5000)
  expect(training[0]?.step).toBeGreaterThanOrEqual(200)
  expect(training.every(({ usage }) => usage !== undefined)).toBe(true)
  const steps = read.map(({ step }) => step)
  expect(steps).toEqual([...steps].sort((a, b) => a - b))
  const gaps = training.slice(1).map((one, i) => one.step - (training[i]?.step ?? 0))
  expect(Math.max(...gaps)).toBeLessThan(700)
})

test('diagnostics are thinned by themselves, and the newest stays', async () => {
  const look = (step: number): MetricsRecord => ({
    ...{ kind: 'diagnostics', step, epoch: 0, trainedMs: 0, vectors: 1, obtuse: null, gradientCosine: 0.5 },
    ...{ lambda: [1], angle: [0, 1], encoderLength: [1], codeLength: [1] },
  })
  await write(Array.from({ length: 3000 }, (_, i) => [record(i + 1), look(i + 1)]).flat())
  for (const [maxPoints, looks] of [
    [10, 10],
    [4000, 500],
  ] as const) {
    const read = await readMetrics(run, { afterStep: -1, maxPoints })
    const kept = read.filter(({ kind }) => kind === 'diagnostics')
    expect(kept).toHaveLength(looks)
    expect(kept.at(-1)).toEqual(look(3000))
  }
})

test('nothing is thinned below the limit', () => {
  const records = [record(1), record(2), record(3)]
  expect(thin(records, 3)).toEqual(records)
  expect(thin(records, 1).map(({ step }) => step)).toContain(3)
})
