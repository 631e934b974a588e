// Rules across fields, reading of untrusted configurations, and `key=value` settings. One place, so that the
// form, the command line and a run file are refused with the same words.
import { GyreError } from '../contract/errors'
import { configKeys, fieldInfo, rangeInWords, type FieldInfo } from './fields'
import { checkQuantizer, type Findings } from './quantizer-rules'
import { downsampling, hasCommitment } from './quantizers'
import { configSchema, type ConfigField, type RunConfig } from './schema'

/** Errors forbid a run; warnings are said and left to the person. */
export function checkConfig(config: RunConfig): Findings {
  const errors: Findings['errors'] = []
  const warnings: Findings['warnings'] = []
  const error = (field: ConfigField, message: string): unknown => errors.push({ field, message })
  const warn = (field: ConfigField, message: string): unknown => warnings.push({ field, message })

  const factor = downsampling(config)
  if (config.imageSize % factor !== 0)
    error('imageSize', `Image size ${config.imageSize} must be a multiple of ${factor} for this network.`)
  if (config.finalLearningRate > config.learningRate && config.schedule !== 'constant')
    error('finalLearningRate', 'The final learning rate is above the learning rate: a schedule only falls.')
  if (config.warmupSteps >= config.steps && config.warmupSteps > 0)
    error('warmupSteps', `A warm-up of ${config.warmupSteps} steps never ends within ${config.steps} steps.`)
  if (config.network === 'cnn') {
    const sides = config.channelMultipliers.map((_, level) => config.imageSize / 2 ** level)
    for (const side of config.attention)
      if (!sides.includes(side))
        error('attention', `Attention at ${side}: this network has the resolutions ${sides.join(', ')}.`)
  } else if (config.attention.length > 0) {
    warn('attention', 'The quick network has no attention; this setting does nothing.')
  }

  const quantizer = checkQuantizer(config)
  errors.push(...quantizer.errors)
  warnings.push(...quantizer.warnings)
  if (config.commitmentWeight === 0 && hasCommitment(config))
    warn('commitmentWeight', 'Without a commitment loss encoder outputs can drift away from their codes.')
  if (config.codebookUpdate === 'ema' && config.estimator === 'rotation' && config.emaDecay > 0.95)
    warn('emaDecay', 'The rotation trick was used with a decay of 0.8; slower codes lag behind the encoder.')
  if (config.learningRate > 3e-3) warn('learningRate', 'Learning rates above 0.003 often diverge with Adam.')
  if (config.validationFraction === 0)
    warn('validationFraction', 'No validation images: results are measured on the training images.')
  if (config.evaluateEvery > config.steps)
    warn('evaluateEvery', 'The run ends before its first evaluation; one is made at the end.')
  return { errors, warnings }
}

/**
 * Reads a configuration from anywhere (a file, the wire, a form).
 * @throws GyreError `invalid-input` naming the field and its range.
 */
export function parseConfig(value: unknown): RunConfig {
  const parsed = configSchema.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
    if (unknown !== undefined) throw unknownKey(unknown)
    const key = issue?.path[0]
    if (isField(key)) throw outOfRange(fieldInfo(key), issue?.path.length === 0 ? '' : valueAt(value, key))
    throw new GyreError(
      'invalid-input',
      'The configuration is not an object of settings.',
      'Pass a config.json of a run.',
    )
  }
  const { errors } = checkConfig(parsed.data)
  const first = errors[0]
  if (first)
    throw new GyreError(
      'invalid-input',
      first.message,
      `Change ${first.field}: ${rangeInWords(fieldInfo(first.field))}.`,
    )
  return parsed.data
}

/**
 * `config` with `key=value` settings applied: lists as `1,2,4`, booleans as `true`/`false`; a key may be
 * written with a group before a dot (`optimizer.learningRate`).
 * @throws GyreError `invalid-input` naming the key, the range and the nearest known key, if one is near.
 */
export function applySettings(config: object, settings: readonly string[]): RunConfig {
  const next: Record<string, unknown> = { ...config }
  for (const setting of settings) {
    const equals = setting.indexOf('=')
    if (equals < 1)
      throw new GyreError(
        'invalid-input',
        `"${setting}" is not a setting.`,
        'Write it as key=value, for example steps=500.',
      )
    const written = setting.slice(0, equals).trim()
    const key = written.includes('.') ? written.slice(written.lastIndexOf('.') + 1) : written
    if (!isField(key)) throw unknownKey(written)
    const info = fieldInfo(key)
    if (written.includes('.') && written !== `${info.group}.${key}`) throw unknownKey(written)
    next[key] = readValue(info, setting.slice(equals + 1).trim())
  }
  return parseConfig(next)
}

/** Fields whose values differ, in the schema's order. */
export function diffConfig(a: RunConfig, b: RunConfig): ConfigField[] {
  return configKeys.filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]))
}

function isField(key: unknown): key is ConfigField {
  return typeof key === 'string' && (configKeys as string[]).includes(key)
}

function valueAt(value: unknown, key: ConfigField): string {
  const found = (value as Record<string, unknown>)[key]
  return typeof found === 'string' ? found : JSON.stringify(found)
}

function outOfRange(info: FieldInfo, value: string): GyreError {
  return new GyreError(
    'invalid-input',
    `${info.key}=${value} is not allowed.`,
    `${info.key} takes ${rangeInWords(info)}.`,
  )
}

function unknownKey(key: string): GyreError {
  const nearest = configKeys.reduce((best, one) => (distance(key, one) < distance(key, best) ? one : best))
  // With more than half of it changed, it would be another word: a guess would mislead.
  const hint =
    distance(key, nearest) <= key.length / 2
      ? `Did you mean ${nearest} (${rangeInWords(fieldInfo(nearest))})?`
      : 'See `gyre train --help` for all settings.'
  return new GyreError('invalid-input', `There is no setting "${key}".`, hint)
}

function readValue(info: FieldInfo, text: string): unknown {
  const number = (part: string): number => {
    const value = Number(part)
    if (part.trim() === '' || !Number.isFinite(value)) throw outOfRange(info, text)
    return value
  }
  switch (info.kind) {
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw outOfRange(info, text)
      return text === 'true'
    case 'int':
    case 'number':
      return number(text)
    case 'int-list':
    case 'number-pair':
      return text === '' ? [] : text.split(',').map(number)
    case 'choice':
      return typeof info.choices?.[0] === 'number' ? number(text) : text
    case 'colour':
      return text
  }
}

/** Edits between two words, without regard to case (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, x] of Array.from(a.toLowerCase()).entries()) {
    const next = [i + 1]
    for (const [j, y] of Array.from(b.toLowerCase()).entries())
      next.push(Math.min((row[j] ?? 0) + (x === y ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    row = next
  }
  return row[b.length] ?? 0
}
