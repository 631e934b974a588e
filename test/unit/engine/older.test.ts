// Engines of other versions on disk: found with their sizes, and removed only by their own names and while nobody
// computes on them.
import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { holdEngine } from '#main/engine/tensorflow/in-use'
import { engineFolder } from '#main/engine/tensorflow/installed'
import { engineStorage, removeOlderEngine } from '#main/engine/tensorflow/older'
import { findVariant } from '#main/engine/tensorflow/variants'
import { temporaryFolder } from './fake-wheel'

const old = 'tensorflow-cpu-2.20.0-0a1b2c3d4e5f'

async function homeWithOld(): Promise<string> {
  const home = await temporaryFolder()
  await mkdir(join(home, old, 'inner'), { recursive: true })
  await writeFile(join(home, old, 'manifest.json'), '{}')
  await writeFile(join(home, old, 'inner', 'library.so'), 'x'.repeat(998))
  return home
}

test('an older engine is found with its size; what is used, or is no engine, is not', async ({ skip }) => {
  const variant = findVariant('tensorflow-cpu')
  if (typeof variant === 'string') return skip(variant)
  const home = await homeWithOld()
  const own = await engineFolder(home, variant)
  await mkdir(own)
  for (const name of ['downloads', '.staging-1', `${basename(own)}.users`, 'tensorflow-cpu-notes'])
    await mkdir(join(home, name))
  await writeFile(join(home, 'tensorflow-cpu-2.19.0-abcdef'), 'a file')
  const found = await engineStorage({ home })
  expect(found).toMatchObject({
    folder: home,
    older: [{ name: old, id: 'tensorflow-cpu', version: '2.20.0', sizeBytes: 1000 }],
  })
  expect(found.freeBytes).toBeGreaterThan(0)
  await expect(removeOlderEngine(basename(own), { home })).rejects.toMatchObject({ code: 'not-found' })
  expect(existsSync(own)).toBe(true)
})

test('space is told before there is a folder', async () => {
  const home = join(await temporaryFolder(), 'not', 'yet')
  const found = await engineStorage({ home })
  expect(found.older).toEqual([])
  expect(found.freeBytes).toBeGreaterThan(0)
})

test('is removed as a whole, even where its manifest is missing', async () => {
  const home = await homeWithOld()
  const half = 'tensorflow-cpu-2.18.0-00ff'
  await mkdir(join(home, half))
  await writeFile(join(home, half, 'library.so'), 'x')
  await removeOlderEngine(old, { home })
  await removeOlderEngine(half, { home })
  expect(await readdir(home)).toEqual([])
})

test('is neither offered nor removed while somebody computes on it', async () => {
  const home = await homeWithOld()
  const release = holdEngine(join(home, old))
  expect((await engineStorage({ home })).older).toEqual([])
  await expect(removeOlderEngine(old, { home })).rejects.toMatchObject({ code: 'busy' })
  expect(await readdir(join(home, old))).toEqual(['inner', 'manifest.json'])
  release()
  await removeOlderEngine(old, { home })
  expect(existsSync(join(home, old))).toBe(false)
})

test.each(['../elsewhere', 'downloads', '', '.', 'tensorflow-cpu-1-ab/../../x', 'wasm-1-ab'])(
  'no other name is removed: “%s”',
  async (name) => {
    const home = await homeWithOld()
    await mkdir(join(home, 'downloads'))
    await expect(removeOlderEngine(name, { home })).rejects.toMatchObject({ code: 'not-found' })
    expect((await readdir(home)).sort()).toEqual(['downloads', old])
  },
)
