// metrics.jsonl: one record a line, appended while training. A torn last line is cut off when a run is opened for
// training; a reader just passes over it. Steps never decrease from line to line.
import { createReadStream } from 'node:fs'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  metricsRecord,
  type DiagnosticsRecord,
  type MetricsRecord,
  type TrainRecord,
} from '#shared/contract/files'
import { syncFolder, temporaryPath } from '#main/data/atomic'

export const metricsFileName = 'metrics.jsonl'
/** Far beyond any record; a longer line is damage, and must not fill the memory. */
const maxLineBytes = 1024 * 1024

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

/** Complete lines only: what follows the last newline is a torn tail. */
async function* completeLines(path: string): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const block of createReadStream(path, {
      highWaterMark: 1024 * 1024,
    }) as AsyncIterable<Buffer>) {
      const data = Buffer.concat([rest, block])
      let start = 0
      for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, start)) {
        yield data.toString('utf8', start, end)
        start = end + 1
      }
      rest = data.length - start > maxLineBytes ? Buffer.alloc(0) : data.subarray(start)
    }
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

function parseLine(line: string): MetricsRecord | null {
  try {
    const parsed = metricsRecord.safeParse(JSON.parse(line))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

/** Every readable record of a run, in order. */
export async function* readRecords(runFolder: string): AsyncGenerator<MetricsRecord> {
  for await (const line of completeLines(join(runFolder, metricsFileName))) {
    const record = parseLine(line)
    if (record) yield record
  }
}

type Thinned = TrainRecord | DiagnosticsRecord

/** A histogram record is large, and a picture over time is some hundred columns wide. */
const maxDiagnostics = 500

const hasWindow = (record: Thinned): boolean => record.kind === 'train' && record.usage !== undefined

/** Of neighbours, the one worth keeping: window figures are rare, so a record that has them goes first. */
function pick<T extends Thinned>(group: readonly T[]): T[] {
  const chosen = group.findLast(hasWindow) ?? group.at(-1)
  return chosen ? [chosen] : []
}

/** At most `limit` of the records, evenly spread; the last one always stays. */
export function thin<T extends Thinned>(records: readonly T[], limit: number): T[] {
  const last = records.at(-1)
  if (records.length <= limit || !last) return [...records]
  const groups = Math.max(1, limit - 1)
  const kept: T[] = []
  for (let group = 0; group < groups; group++) {
    const from = Math.floor((group * (records.length - 1)) / groups)
    const to = Math.floor(((group + 1) * (records.length - 1)) / groups)
    kept.push(...pick(records.slice(from, to)))
  }
  return [...kept, last]
}

/** Thins a stream evenly while it comes: one record for every `stride`, which doubles whenever too many are kept. */
class StreamThinner<T extends Thinned> {
  readonly #limit: number
  #kept: T[] = []
  #group: T[] = []
  #count = 0
  #stride = 1

  constructor(limit: number) {
    this.#limit = limit
  }

  add(record: T): void {
    this.#group = [...pick(this.#group.filter(hasWindow)), record]
    if (++this.#count < this.#stride) return
    this.#kept.push(...pick(this.#group))
    this.#group = []
    this.#count = 0
    if (this.#kept.length < this.#limit) return
    this.#kept = Array.from({ length: this.#limit / 2 }, (_, i) =>
      pick(this.#kept.slice(2 * i, 2 * i + 2)),
    ).flat()
    this.#stride *= 2
  }

  finish(): T[] {
    return [...this.#kept, ...this.#group.slice(-1)]
  }
}

/**
 * Records after `afterStep` (-1 for all) in order: every evaluation and event, at most `maxPoints` training records,
 * and of the diagnostics as many again, but never more than 500. Real records are chosen, nothing is averaged. Memory stays bounded however long the run is.
 */
export async function readMetrics(
  runFolder: string,
  { afterStep, maxPoints }: { afterStep: number; maxPoints: number },
): Promise<MetricsRecord[]> {
  const training = new StreamThinner<TrainRecord>(8 * maxPoints)
  const maxLooks = Math.min(maxPoints, maxDiagnostics)
  const looks = new StreamThinner<DiagnosticsRecord>(4 * maxLooks)
  const others: MetricsRecord[] = []
  for await (const record of readRecords(runFolder)) {
    if (record.step <= afterStep) continue
    if (record.kind === 'train') training.add(record)
    else if (record.kind === 'diagnostics') looks.add(record)
    else others.push(record)
  }
  // Of one step, the training record was written first.
  const order = (record: MetricsRecord): number => (record.kind === 'train' ? 0 : 1)
  const kept = [...thin(training.finish(), maxPoints), ...thin(looks.finish(), maxLooks)]
  return [...kept, ...others].sort((a, b) => a.step - b.step || order(a) - order(b))
}

/** The log of the run that is being trained. */
export interface MetricsLog {
  append(record: MetricsRecord): Promise<void>
  /** Returns once everything is on disk: before a checkpoint that relies on it. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Keeps the readable lines that `keep` wants; a crash leaves the old file or the new one. */
async function trim(path: string, keep: (record: MetricsRecord) => boolean): Promise<void> {
  const temporary = temporaryPath(dirname(path))
  const handle = await open(temporary, 'wx')
  try {
    let block: string[] = []
    for await (const line of completeLines(path)) {
      const record = parseLine(line)
      if (record && keep(record)) block.push(`${line}\n`)
      if (block.length < 1000) continue
      await handle.appendFile(block.join(''))
      block = []
    }
    await handle.appendFile(block.join(''))
    await handle.sync()
    await handle.close()
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await handle.close()
    await rm(temporary, { force: true })
    throw error
  }
}

/** Opens the log to go on writing: drops a torn tail, and every record that `keep` does not want. */
export async function openMetricsLog(
  runFolder: string,
  keep: (record: MetricsRecord) => boolean,
): Promise<MetricsLog> {
  const path = join(runFolder, metricsFileName)
  await trim(path, keep)
  const handle: FileHandle = await open(path, 'a')
  return {
    // One write of one line: a kill can tear only the last line.
    append: async (record) => {
      await handle.appendFile(`${JSON.stringify(metricsRecord.parse(record))}\n`)
    },
    sync: () => handle.sync(),
    close: () => handle.close(),
  }
}
