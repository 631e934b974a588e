// Reading what was typed: numbers, checkpoints, data, and the configuration from preset, file and settings. What is
// wrong here is wrong usage.
import { readFile, stat } from 'node:fs/promises'
import { InvalidArgumentError } from 'commander'
import { engineWish, identifier, type CheckpointRef, type EngineWish } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import type { DatasetFile } from '#shared/contract/files'
import { applySettings, parseConfig, presets, type RunConfig } from '#shared/config/index'
import { usage, wrongUsage } from './errors'
import { finish, type Session } from './session'

const maxConfigBytes = 1024 * 1024
const shownSkipped = 10

/** A reader of whole numbers from `min` to `max`, for commander. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`Use a whole number from ${min} to ${max}.`)
    return value
  }
}

export function readCheckpoint(text: string): CheckpointRef {
  if (text === 'last' || text === 'best') return text
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Use last, best or a step.')
}

/** What `--engine` takes, for its help. */
export const engineHelp = `one of ${engineWish.options.join(', ')}`

export function readEngine(text: string): EngineWish {
  const parsed = engineWish.safeParse(text)
  if (!parsed.success) throw new InvalidArgumentError(`Use one of: ${engineWish.options.join(', ')}.`)
  return parsed.data
}

/** `n=8` or `8`. */
export function readNearest(text: string): number {
  return wholeNumber(0, 64)(text.replace(/^n=/, ''))
}

export interface ConfigArguments {
  preset?: string
  config?: string
  set?: string[]
  steps?: number
  seed?: number
}

async function readConfigFile(path: string): Promise<object> {
  let value: unknown
  try {
    if ((await stat(path)).size > maxConfigBytes) throw new Error('too large')
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') throw wrongUsage(`There is no file “${path}”.`)
    if (code === 'EISDIR') throw wrongUsage(`“${path}” is a folder.`, 'Name a JSON file with settings.')
    if (cause instanceof SyntaxError)
      throw wrongUsage(`“${path}” is no JSON file.`, `Where it stops being one: ${message}.`)
    throw wrongUsage(`The configuration file “${path}” can't be read (${message}).`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrongUsage(`“${path}” holds no settings.`, 'It must be a JSON object like {"steps": 500}.')
  // A run.json or the config.json of an export holds the settings under `config`.
  if ('config' in value && typeof value.config === 'object' && value.config !== null) return value.config
  return value
}

/** Preset, then file, then single settings: later ones win. */
export async function readConfig(from: ConfigArguments): Promise<RunConfig> {
  const preset = presets.find(({ id }) => id === from.preset)
  if (from.preset !== undefined && !preset)
    throw wrongUsage(
      `There is no preset “${from.preset}”.`,
      `Use one of: ${presets.map(({ id }) => id).join(', ')}.`,
    )
  const file = from.config === undefined ? {} : await readConfigFile(from.config)
  const settings = [...(from.set ?? [])]
  if (from.steps !== undefined) settings.push(`steps=${from.steps}`)
  if (from.seed !== undefined) settings.push(`seed=${from.seed}`)
  return usage(() => {
    const base = { ...preset?.config, ...file }
    return settings.length > 0 ? applySettings(base, settings) : parseConfig(base)
  })
}

/**
 * `sample`, the id of a dataset in the library, or a folder, which is imported (and scanned again if it was before).
 * @param config of the run that it is for: images are prepared for it on the way
 */
export async function readData(session: Session, text: string, config: RunConfig): Promise<string> {
  const { datasets } = session.service
  if (text === 'sample') return (await finish(session, datasets.importSample(config))).id
  if (identifier.safeParse(text).success) {
    const known = await datasets.get(text).catch(() => null)
    if (known) return known.id
  }
  const info = await stat(text).catch(() => null)
  if (!info)
    throw new GyreError(
      'not-found',
      `“${text}” is neither a folder nor a dataset of the library.`,
      'Pass a folder of images, a dataset’s id, or the word sample.',
    )
  const dataset = await finish(session, await datasets.importFolder(text, { config }))
  if (dataset.skippedCount > 0) await saySkipped(session, dataset)
  if (dataset.imageCount === 0)
    throw new GyreError(
      'invalid-input',
      `No usable image was found in “${text}”: ${reasons(dataset.skipReasons)}.`,
      'Gyre reads PNG, JPEG, WebP, GIF, TIFF and AVIF files.',
    )
  return dataset.id
}

/** Names the first files that are not used, with their reasons, and where the others are named. */
async function saySkipped({ service, output }: Session, dataset: DatasetFile): Promise<void> {
  const { id, name, skippedCount, skipReasons } = dataset
  const { first, listFile } = await service.datasets.skipped(id, shownSkipped)
  const what = skippedCount === 1 ? '1 file' : `${skippedCount} files`
  output.say(
    [
      `${what} of “${name}” ${skippedCount === 1 ? 'is' : 'are'} not used: ${reasons(skipReasons)}.`,
      ...first.map(({ file, detail }) => `  ${printable(file)}: ${printable(detail)}`),
      ...(skippedCount > first.length ? [`  … and ${skippedCount - first.length} more.`] : []),
      `  The whole list: ${listFile}`,
    ].join('\n'),
  )
}

/** A file's name comes from anywhere: it must not steer the terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function reasons(counts: Readonly<Record<string, number | undefined>>): string {
  const words = Object.entries(counts).map(
    ([reason, count]) => `${count ?? 0} ${reason.replaceAll('-', ' ')}`,
  )
  return words.length > 0 ? words.join(', ') : 'it is empty'
}
