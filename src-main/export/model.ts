// Export of a checkpoint's model: model.safetensors with encoder, decoder and codebook, and config.json that says what
// they are. Names, shapes and layouts are documented in docs/export.md. Training state (EMA, optimiser) stays behind.
import { lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import type { RunFile } from '#shared/contract/files'
import { tokenGrid } from '#shared/config/index'
import { atomicWriteJson } from '#main/data/index'
import { openSafetensors, readSafetensors, writeSafetensors, type NamedTensor } from './safetensors'

const modelName = 'model.safetensors'
const configName = 'config.json'
const format = 'gyre-vqvae'

export interface ExportedModel {
  files: { name: string; sizeBytes: number }[]
  tensors: { name: string; shape: number[] }[]
}

export interface ExportRequest {
  /** A verified checkpoint. */
  checkpointFolder: string
  step: number
  run: Pick<RunFile, 'id' | 'name' | 'config' | 'engine'>
  /** Folder that exists. */
  out: string
}

const isExported = (name: string): boolean =>
  name === 'codebook' || ['encoder.', 'decoder.', 'quantizer.'].some((part) => name.startsWith(part))

/** An export may replace an earlier export, never somebody's own files that happen to have these names. */
async function refuseForeignFiles(out: string): Promise<void> {
  const present = await Promise.all(
    [modelName, configName].map((name) => lstat(join(out, name)).catch(() => null)),
  )
  if (present.every((info) => info === null)) return
  const text = await readFile(join(out, configName), 'utf8').catch(() => '')
  try {
    if ((JSON.parse(text) as { format?: unknown } | null)?.format === format) return
  } catch {
    // Not ours, then.
  }
  throw new GyreError(
    'invalid-input',
    `The folder “${out}” already holds a ${present[0] ? modelName : configName} that is not an export of Gyre.`,
    'Choose another folder.',
  )
}

/** Reads the file back and compares every number with what was to be written. */
async function verify(path: string, expected: readonly NamedTensor[]): Promise<void> {
  const reader = await openSafetensors(path)
  try {
    for (const { name, data } of expected) {
      const found = (await reader.read(name)).data
      const bytes = (of: typeof data): Buffer => Buffer.from(of.buffer, of.byteOffset, of.byteLength)
      if (!bytes(found).equals(bytes(data)))
        throw new GyreError(
          'corrupt',
          `“${name}” was not written correctly.`,
          'Is the disk healthy? Export again.',
        )
    }
  } finally {
    await reader.close()
  }
}

/**
 * Writes both files atomically, `config.json` last, and reads the tensors back.
 * @throws GyreError `invalid-input` when the folder holds other files of these names; `no-space`, `permission`
 */
export async function exportSafetensors({
  checkpointFolder,
  step,
  run,
  out,
}: ExportRequest): Promise<ExportedModel> {
  await refuseForeignFiles(out)
  const { tensors } = await readSafetensors(join(checkpointFolder, modelName))
  const exported = [...tensors.values()].filter(({ name }) => isExported(name))
  if (!exported.some(({ name }) => name === 'codebook'))
    throw new GyreError('corrupt', 'The checkpoint holds no codebook.', 'Export another checkpoint.')
  const { config } = run
  const tokens = tokenGrid(config)
  const metadata = { format, layout: 'HWIO', run: run.id, step: String(step) }
  await writeSafetensors(join(out, modelName), exported, metadata)
  await verify(join(out, modelName), exported)
  const listed = exported.map(({ name, shape }) => ({ name, shape: [...shape] }))
  await atomicWriteJson(join(out, configName), {
    format,
    formatVersion: 1,
    run: { id: run.id, name: run.name },
    step,
    trainedWith: run.engine,
    layout: 'HWIO',
    input: { size: config.imageSize, channels: config.channelsIn, range: [-1, 1] },
    tokens: [tokens, tokens],
    config,
    tensors: listed,
  })
  const size = async (name: string) => ({ name, sizeBytes: (await lstat(join(out, name))).size })
  return { files: [await size(modelName), await size(configName)], tensors: listed }
}
