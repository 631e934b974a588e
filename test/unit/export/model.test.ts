import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { defaultConfig } from '#shared/config/index'
import { exportSafetensors } from '#main/export/model'
import { readSafetensors, writeSafetensors, type NamedTensor } from '#main/export/safetensors'

let root: string
let checkpointFolder: string

const tensor = (name: string, shape: number[]): NamedTensor => ({
  name,
  shape,
  dtype: 'F32',
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i + name.length)),
})
const weights = [tensor('encoder.conv_in.weight', [4, 4, 3, 8]), tensor('decoder.conv_out.bias', [3])]
const codebook = tensor('codebook', [16, 4])
const run = { id: 'a-run', name: 'A run', config: defaultConfig, engine: null }

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gyre-export-'))
  checkpointFolder = join(root, 'checkpoint')
  await mkdir(checkpointFolder)
  const state = [tensor('ema.sums', [16, 4]), tensor('ema.counts', [16])]
  await writeSafetensors(join(checkpointFolder, 'model.safetensors'), [...weights, codebook, ...state])
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function folder(name: string): Promise<string> {
  await mkdir(join(root, name))
  return join(root, name)
}

it('writes encoder, decoder and codebook as they are, and no training state', async () => {
  const out = await folder('plain')
  const made = await exportSafetensors({ checkpointFolder, step: 7, run, out })
  expect((await readdir(out)).sort()).toEqual(['config.json', 'model.safetensors'])
  const { tensors, metadata } = await readSafetensors(join(out, 'model.safetensors'))
  expect([...tensors.keys()].sort()).toEqual(['codebook', 'decoder.conv_out.bias', 'encoder.conv_in.weight'])
  for (const { name, shape, data } of [...weights, codebook])
    expect(tensors.get(name)).toMatchObject({ shape, data })
  expect(metadata.get('layout')).toBe('HWIO')
  const config = JSON.parse(await readFile(join(out, 'config.json'), 'utf8')) as unknown
  expect(config).toMatchObject({ format: 'gyre-vqvae', step: 7, tokens: [16, 16], config: defaultConfig })
  expect(config).toMatchObject({ tensors: made.tensors })
})

it('replaces an earlier export', async () => {
  const out = await folder('twice')
  await exportSafetensors({ checkpointFolder, step: 7, run, out })
  await exportSafetensors({ checkpointFolder, step: 8, run, out })
  expect(JSON.parse(await readFile(join(out, 'config.json'), 'utf8'))).toMatchObject({ step: 8 })
})

it.each([
  ['config.json', '{"name": "my own"}'],
  ['config.json', 'not even JSON'],
  ['model.safetensors', 'weights of something else'],
])('never replaces somebody’s own %s', async (name, text) => {
  const out = await folder(`own-${name}-${text.length}`)
  await writeFile(join(out, name), text)
  await expect(exportSafetensors({ checkpointFolder, step: 7, run, out })).rejects.toMatchObject({
    code: 'invalid-input',
  })
  expect(await readFile(join(out, name), 'utf8')).toBe(text)
  expect(await readdir(out)).toEqual([name])
})

it('refuses a checkpoint without a codebook', async () => {
  const other = await folder('no codebook')
  await writeSafetensors(join(other, 'model.safetensors'), weights)
  const out = await folder('nothing')
  await expect(exportSafetensors({ checkpointFolder: other, step: 1, run, out })).rejects.toMatchObject({
    code: 'corrupt',
  })
  expect(await readdir(out)).toEqual([])
})
