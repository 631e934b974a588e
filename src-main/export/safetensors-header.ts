// The header of a safetensors file: strict parsing of what may be hostile, and laying one out. Pure except for
// the `read` it is handed.
import { GyreError } from '#shared/contract/errors'
import { findDuplicateKey } from './json-keys'

const dtypeBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const
export type Dtype = keyof typeof dtypeBytes

export interface TensorInfo {
  name: string
  dtype: Dtype
  shape: number[]
  /** From the start of the file. */
  offset: number
  sizeBytes: number
}

/** The limit of the reference implementation. */
const maxHeaderBytes = 100_000_000
const maxRank = 32
const metadataKey = '__metadata__'

interface Header {
  metadata: Map<string, string>
  tensors: Map<string, TensorInfo>
}

function corrupt(message: string): GyreError {
  return new GyreError('corrupt', message, 'The file is damaged or is not a safetensors file.')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === 'string' && Object.hasOwn(dtypeBytes, value)
}

function parseMetadata(value: unknown): Map<string, string> {
  if (!isRecord(value)) throw corrupt('The metadata in the header is not an object.')
  const metadata = new Map<string, string>()
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw corrupt('The metadata in the header holds something other than text.')
    metadata.set(key, text)
  }
  return metadata
}

/** One entry; `offset` is still relative to the start of the data. */
function parseTensor(name: string, value: unknown): TensorInfo {
  const bad = (what: string): GyreError => corrupt(`The tensor “${name.slice(0, 80)}” has ${what}.`)
  if (!isRecord(value)) throw bad('no description')
  const { dtype, shape, data_offsets: offsets, ...rest } = value
  if (Object.keys(rest).length > 0) throw bad('an unknown field in its description')
  if (!isDtype(dtype)) throw bad('an unknown number format')
  if (!Array.isArray(shape) || shape.length > maxRank || !shape.every(isCount)) throw bad('an invalid shape')
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) throw bad('invalid offsets')
  const [begin = 0, end = 0] = offsets
  let sizeBytes: number = dtypeBytes[dtype]
  for (const side of shape) {
    sizeBytes *= side
    if (!Number.isSafeInteger(sizeBytes)) throw bad('a shape that is too large')
  }
  if (end - begin !== sizeBytes) throw bad('offsets that do not fit its shape')
  return { name, dtype, shape, offset: begin, sizeBytes }
}

/** The tensors must fill the data exactly: no hole, no overlap, nothing behind the last one. */
function checkCoverage(tensors: Iterable<TensorInfo>, dataBytes: number): void {
  const sorted = [...tensors].sort((a, b) => a.offset - b.offset || a.sizeBytes - b.sizeBytes)
  let position = 0
  for (const { name, offset, sizeBytes } of sorted) {
    if (offset !== position)
      throw corrupt(
        `The tensor “${name.slice(0, 80)}” ${offset < position ? 'overlaps another' : 'leaves a hole'}.`,
      )
    position += sizeBytes
  }
  if (position !== dataBytes) throw corrupt('The tensors do not fill the file exactly.')
}

/** Reads and checks the header of a file of `fileBytes` bytes. Throws `corrupt`. */
export async function parseHeader(
  fileBytes: number,
  read: (target: Uint8Array, position: number) => Promise<void>,
): Promise<Header> {
  if (fileBytes < 10) throw corrupt('The file is too short.')
  const prefix = new Uint8Array(8)
  await read(prefix, 0)
  const length = new DataView(prefix.buffer).getBigUint64(0, true)
  if (length > BigInt(Math.min(maxHeaderBytes, fileBytes - 8)) || length < 2n)
    throw corrupt('The header’s length does not fit the file.')
  const bytes = new Uint8Array(Number(length))
  await read(bytes, 8)
  let text: string
  let parsed: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    parsed = JSON.parse(text)
  } catch (error) {
    throw new GyreError('corrupt', 'The header is not valid JSON.', undefined, { cause: error })
  }
  if (bytes[0] !== 0x7b || !isRecord(parsed)) throw corrupt('The header is not a JSON object.')
  const twice = findDuplicateKey(text)
  if (twice !== null) throw corrupt(`The header names “${twice.slice(0, 80)}” twice.`)
  const dataStart = 8 + bytes.length
  const tensors = new Map<string, TensorInfo>()
  let metadata = new Map<string, string>()
  for (const [name, value] of Object.entries(parsed)) {
    if (name === metadataKey) metadata = parseMetadata(value)
    else tensors.set(name, parseTensor(name, value))
  }
  checkCoverage(tensors.values(), fileBytes - dataStart)
  for (const info of tensors.values()) info.offset += dataStart
  return { metadata, tensors }
}

/**
 * Header bytes (length prefix included, padded to 8 bytes) and places for these tensors: widest numbers first,
 * then by name, as the reference implementation orders them.
 */
export function layoutHeader(
  specs: readonly { name: string; dtype: 'F32' | 'I32' | 'U8'; shape: readonly number[] }[],
  metadata: Readonly<Record<string, string>>,
): { header: Uint8Array; tensors: Map<string, TensorInfo> } {
  const sorted = [...specs].sort(
    (a, b) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype] || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  )
  const entries: [string, unknown][] = []
  if (Object.keys(metadata).length > 0) entries.push([metadataKey, metadata])
  const tensors = new Map<string, TensorInfo>()
  let position = 0
  for (const { name, dtype, shape } of sorted) {
    if (tensors.has(name) || name === metadataKey)
      throw new GyreError('internal', `A tensor cannot be called “${name}” here.`)
    const sizeBytes = shape.reduce((product, side) => product * side, dtypeBytes[dtype])
    tensors.set(name, { name, dtype, shape: [...shape], offset: position, sizeBytes })
    entries.push([name, { dtype, shape, data_offsets: [position, position + sizeBytes] }])
    position += sizeBytes
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  if (json.length > maxHeaderBytes) throw new GyreError('too-large', 'There are too many names for one file.')
  const header = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ')
  header.writeBigUInt64LE(BigInt(header.length - 8))
  json.copy(header, 8)
  for (const info of tensors.values()) info.offset += header.length
  return { header, tensors }
}
