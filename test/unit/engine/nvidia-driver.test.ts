import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { findNvidiaDriver, type DriverSearch } from '#main/engine/tensorflow/nvidia-driver'
import { temporaryFolder } from './fake-wheel'

const library = 'usr/lib/x86_64-linux-gnu/libcuda.so.1'
const version = (number: string): string =>
  `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${number}  Fri May  3 00:00:00 UTC 2024\nGCC version: 12.2.0\n`
const open = (number: string): string =>
  `NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  ${number}  Release Build\n`
const card = 'Model: \t\t NVIDIA RTX 4090\nIRQ:   \t\t 130\nGPU UUID: \t GPU-1\n'
const gpu = 'proc/driver/nvidia/gpus/0000:01:00.0/information'
const pci = 'sys/bus/pci/devices/0000:01:00.0'

async function search(files: Record<string, string>, more: DriverSearch = {}): Promise<unknown> {
  const root = await temporaryFolder()
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  const askTool = (): Promise<string> => Promise.reject(new Error('there is no such program'))
  return findNvidiaDriver({ root, askTool, env: {}, ...more })
}

test.each([
  ['a closed driver', version('550.54.15'), '550.54.15'],
  ['an open driver', open('580.65.06'), '580.65.06'],
  ['the oldest that will do', version('525.60.13'), '525.60.13'],
])('%s with its card', async (_, text, found) => {
  const files = { [library]: '', 'proc/driver/nvidia/version': text, [gpu]: card }
  expect(await search(files)).toEqual({ version: found, cards: ['NVIDIA RTX 4090'] })
})

test('where the driver keeps no files, its own tool is asked', async () => {
  const askTool = (): Promise<string> => Promise.resolve('551.61, NVIDIA A\n551.61, NVIDIA B, twice\n')
  expect(await search({ 'usr/lib/wsl/lib/libcuda.so.1': '' }, { askTool })).toEqual({
    version: '551.61',
    cards: ['NVIDIA A', 'NVIDIA B, twice'],
  })
})

test('a library in a folder of the person’s own counts', async () => {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'libcuda.so.1'), '')
  const files = { 'proc/driver/nvidia/version': version('560.35.03'), [gpu]: card }
  expect(await search(files, { env: { LD_LIBRARY_PATH: `/nowhere:${folder}` } })).toMatchObject({
    version: '560.35.03',
  })
})

test.each<[string, Record<string, string>, RegExp]>([
  ['nothing', {}, /^There is no NVIDIA graphics card here\.$/],
  [
    'another maker’s card',
    { [`${pci}/vendor`]: '0x1002\n', [`${pci}/class`]: '0x030000\n' },
    /no NVIDIA graphics card/,
  ],
  [
    'NVIDIA’s sound chip only',
    { [`${pci}/vendor`]: '0x10de\n', [`${pci}/class`]: '0x040300\n' },
    /no NVIDIA graphics card/,
  ],
  [
    'a card without its driver',
    { [`${pci}/vendor`]: '0x10de\n', [`${pci}/class`]: '0x030200\n' },
    /but not its driver \(libcuda\.so\.1\)/,
  ],
  ['a driver without a card', { [library]: '' }, /shows no graphics card/],
  [
    'an old driver',
    { [library]: '', 'proc/driver/nvidia/version': version('470.256.02'), [gpu]: card },
    /version 470\.256\.02; CUDA 12 needs 525\.60\.13 or newer/,
  ],
  [
    'a driver that is a little too old',
    { [library]: '', 'proc/driver/nvidia/version': version('525.53'), [gpu]: card },
    /525\.53; CUDA 12 needs/,
  ],
])('%s is told in a sentence', async (_, files, sentence) => {
  expect(await search(files)).toMatch(sentence)
})
