// A run's curves as a table: one row a record, columns by the names of docs/metrics.md.
import type { MetricsRecord } from '#shared/contract/files'

const trainColumns = [
  ...['loss', 'mse', 'commitmentLoss', 'codebookLoss', 'quantizationError', 'learningRate', 'gradientNorm'],
  ...['stepsPerSecond', 'imagesPerSecond', 'dataWaitFraction', 'usage', 'perplexity', 'dead'],
  ...['revived'],
]
const validationColumns = [
  ...['mse', 'psnr', 'usage', 'usagePer256', 'perplexity', 'quantizationError', 'commitmentLoss', 'images'],
]

const cell = (value: unknown): string => (typeof value === 'number' ? String(value) : '')

/** RFC 4180 without anything to quote: all cells are numbers or fixed words. Events and diagnostics have no row. */
export function metricsCsv(records: readonly MetricsRecord[]): string {
  const header = ['kind', 'step', 'epoch', 'trainedMs', ...trainColumns]
  const rows = [[...header, ...validationColumns.map((name) => `validation.${name}`)]]
  for (const record of records) {
    if (record.kind === 'event' || record.kind === 'diagnostics') continue
    const start = [record.kind, cell(record.step), cell(record.epoch), cell(record.trainedMs)]
    const train: Record<string, unknown> = record.kind === 'train' ? record : {}
    const validation: Record<string, unknown> = record.kind === 'evaluation' ? record.validation : {}
    rows.push([
      ...start,
      ...trainColumns.map((name) => cell(train[name])),
      ...validationColumns.map((name) => cell(validation[name])),
    ])
  }
  return rows.map((row) => `${row.join(',')}\r\n`).join('')
}
