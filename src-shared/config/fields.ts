// What the form and the command line need to know of each field, read from the schema itself.
import { z } from 'zod'
import { configSchema, defaultConfig, type ConfigField, type FieldMeta, type RunConfig } from './schema'

export type FieldKind = 'int' | 'number' | 'choice' | 'boolean' | 'colour' | 'int-list' | 'number-pair'

export interface FieldInfo extends FieldMeta {
  key: ConfigField
  kind: FieldKind
  min?: number
  max?: number
  /** Values are multiples of this. */
  multipleOf?: number
  choices?: readonly (string | number)[]
  default: RunConfig[ConfigField]
}

interface JsonSchema {
  type?: string
  enum?: (string | number)[]
  const?: string | number
  anyOf?: JsonSchema[]
  items?: JsonSchema
  prefixItems?: JsonSchema[]
  pattern?: string
  minimum?: number
  maximum?: number
  multipleOf?: number
}

function kindOf(schema: JsonSchema): FieldKind {
  if (schema.enum ?? schema.anyOf) return 'choice'
  switch (schema.type) {
    case 'boolean':
      return 'boolean'
    case 'integer':
      return 'int'
    case 'array':
      return schema.prefixItems ? 'number-pair' : 'int-list'
    case 'string':
      return 'colour'
    default:
      return 'number'
  }
}

function describe(key: ConfigField): FieldInfo {
  const field = configSchema.shape[key]
  const meta = field.meta() as unknown as FieldMeta
  const json = z.toJSONSchema(field, { io: 'input' }) as JsonSchema
  const numbers = json.type === 'array' ? (json.items ?? json.prefixItems?.[0] ?? {}) : json
  const choices = json.enum ?? json.anyOf?.flatMap((one) => one.const ?? [])
  return {
    label: meta.label,
    help: meta.help,
    unit: meta.unit,
    group: meta.group,
    essential: meta.essential ?? false,
    resumable: meta.resumable ?? false,
    key,
    kind: kindOf(json),
    min: numbers.minimum,
    max: numbers.maximum,
    multipleOf: numbers.multipleOf,
    choices,
    default: defaultConfig[key],
  }
}

export const configKeys = Object.keys(configSchema.shape) as ConfigField[]

/** Every field, in the schema's order. */
export const fieldInfos: readonly FieldInfo[] = configKeys.map(describe)

export function fieldInfo(key: ConfigField): FieldInfo {
  const found = fieldInfos.find((info) => info.key === key)
  if (!found) throw new Error(`no field ${key}`)
  return found
}

/** The allowed values in words: `16 to 512, a multiple of 4`. */
export function rangeInWords(info: FieldInfo): string {
  if (info.choices) return `one of ${info.choices.join(', ')}`
  if (info.kind === 'boolean') return 'true or false'
  if (info.kind === 'colour') return 'a colour like #ffffff'
  const noun = info.kind === 'int' || info.kind === 'int-list' ? 'a whole number' : 'a number'
  const range = `${noun} from ${info.min ?? '−∞'} to ${info.max ?? '∞'}`
  const step = info.multipleOf && info.multipleOf > 1 ? `, a multiple of ${info.multipleOf}` : ''
  if (info.kind === 'int-list') return `a list like 1,2,4, each ${range}`
  if (info.kind === 'number-pair') return 'two numbers like 0.9,0.99, each from 0 to below 1'
  return range + step
}
