// Installing an engine of several wheels: NVIDIA's libraries lie beside TensorFlow, progress counts all of them, and what
// is there is never fetched twice.
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { installTensorFlow } from '#main/engine/tensorflow/install'
import { readInstalled } from '#main/engine/tensorflow/installed'
import { variants, wheelsOf } from '#main/engine/tensorflow/variants'
import type { InstallProgress } from '#main/engine/types'
import {
  companionBytes,
  fakeSteps,
  gpuVariant,
  servePackage,
  temporaryFolder,
  wheelBytes,
} from './fake-wheel'

const [, blas, nvcc] = wheelsOf(gpuVariant)
const total = wheelsOf(gpuVariant).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)

test('unpacks every wheel where TensorFlow looks for it, with one progress over all', async () => {
  const home = await temporaryFolder()
  const server = await servePackage()
  const seen: InstallProgress[] = []
  const options = { home, indexUrl: server.indexUrl, onProgress: (p: InstallProgress) => void seen.push(p) }
  const folder = await installTensorFlow(gpuVariant, options, fakeSteps)
  expect((await readdir(folder, { recursive: true })).sort()).toEqual([
    'manifest.json',
    'nvidia',
    'nvidia/cuda_nvcc',
    'nvidia/cuda_nvcc/bin',
    'nvidia/cuda_nvcc/bin/ptxas',
    'nvidia/cuda_nvcc/nvvm',
    'nvidia/cuda_nvcc/nvvm/libdevice',
    'nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc',
    'nvidia/fakeblas',
    'nvidia/fakeblas/lib',
    'nvidia/fakeblas/lib/libfakeblas.so.12',
    'tensorflow',
    'tensorflow/gyre_graph.node',
    'tensorflow/gyre_quiet.node',
    'tensorflow/libtensorflow_cc.so.2',
    'tensorflow/libtensorflow_framework.so.2',
    'tensorflow/tfjs_binding.node',
  ])
  expect((await stat(join(folder, 'nvidia/cuda_nvcc/bin/ptxas'))).mode & 0o111).toBe(0o111)
  for (const phase of ['download', 'verify'] as const) {
    const steps = seen.filter((one) => one.phase === phase)
    expect(steps.every((one) => one.total === total && one.unit === 'bytes')).toBe(true)
    expect(steps.map(({ done }) => done)).toEqual(steps.map(({ done }) => done).sort((a, b) => a - b))
    expect(steps.at(-1)?.done).toBe(total)
  }
  expect(seen.filter(({ phase }) => phase === 'unpack').at(-1)?.done).toBeGreaterThan(2_700_000)
  expect(seen.find(({ phase }) => phase === 'find')?.message).toBe('Looking for fake-engine (file 1 of 3)')
  const manifest = await readInstalled(folder, gpuVariant)
  expect(Object.keys(manifest?.files ?? {})).toHaveLength(8)
  expect(await readdir(join(home, 'downloads'))).toEqual([])
})

test('goes on after an interruption with the wheel that was cut, and keeps the whole ones', async () => {
  const home = await temporaryFolder()
  const downloads = join(home, 'downloads')
  await mkdir(downloads)
  await writeFile(join(downloads, gpuVariant.wheel.fileName), wheelBytes)
  await writeFile(
    join(downloads, `${blas?.fileName ?? ''}.part`),
    companionBytes[0]?.subarray(0, 100_000) ?? '',
  )
  const server = await servePackage()
  const folder = await installTensorFlow(gpuVariant, { home, indexUrl: server.indexUrl }, fakeSteps)
  expect(server.asked).toEqual([blas?.fileName, nvcc?.fileName])
  const file = join(folder, 'nvidia/fakeblas/lib/libfakeblas.so.12')
  expect((await readFile(file)).length).toBe(700_000)
})

test('a wrong companion is never used, and costs one more download', async () => {
  const home = await temporaryFolder()
  await mkdir(join(home, 'downloads'))
  await writeFile(join(home, 'downloads', nvcc?.fileName ?? ''), 'not the file')
  const server = await servePackage()
  await installTensorFlow(gpuVariant, { home, indexUrl: server.indexUrl }, fakeSteps)
  expect(server.asked).toEqual([gpuVariant.wheel.fileName, blas?.fileName, nvcc?.fileName])
})

test('is cancelled between two wheels, and keeps what arrived', async () => {
  const home = await temporaryFolder()
  const server = await servePackage()
  const controller = new AbortController()
  const onProgress = ({ phase, message }: InstallProgress): void => {
    if (phase === 'find' && message.includes('file 2')) controller.abort()
  }
  const options = { home, indexUrl: server.indexUrl, onProgress, signal: controller.signal }
  await expect(installTensorFlow(gpuVariant, options, fakeSteps)).rejects.toMatchObject({ code: 'cancelled' })
  expect(await readdir(home)).toEqual(['downloads'])
  expect(await readdir(join(home, 'downloads'))).toEqual([gpuVariant.wheel.fileName])
})

test('half of it is not installed', async () => {
  const server = await servePackage()
  const options = { home: await temporaryFolder(), indexUrl: server.indexUrl }
  const folder = await installTensorFlow(gpuVariant, options, fakeSteps)
  await writeFile(join(folder, 'nvidia/cuda_nvcc/bin/ptxas'), 'cut')
  expect(await readInstalled(folder, gpuVariant)).toBeNull()
})

test('the wheels that are pinned are named as pip names them, each once', () => {
  for (const variant of variants) {
    const wheels = wheelsOf(variant)
    expect(new Set(wheels.map(({ sha256 }) => sha256)).size).toBe(wheels.length)
    for (const { requirement, fileName, sha256, platformTag, holds } of wheels) {
      const [project = '', version = ''] = requirement.split('==')
      expect(fileName.startsWith(`${project.replaceAll('-', '_')}-${version}-`)).toBe(true)
      expect(fileName).toContain(platformTag)
      expect(sha256).toMatch(/^[0-9a-f]{64}$/)
      expect(holds.length).toBeGreaterThan(0)
    }
  }
  const cuda = variants.find(({ id }) => id === 'tensorflow-cuda')
  expect(cuda?.companions).toHaveLength(12)
})
