// Removing an engine: all of it goes at once, and never under whoever computes on it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { holdEngine, usersOf } from '#main/engine/tensorflow/in-use'
import { installTensorFlow } from '#main/engine/tensorflow/install'
import { readInstalled } from '#main/engine/tensorflow/installed'
import { acquireLock } from '#main/engine/tensorflow/lock'
import { removeTensorFlow } from '#main/engine/tensorflow/remove'
import { fakeSteps, servePackage, temporaryFolder, variant } from './fake-wheel'

async function installed(): Promise<{ home: string; folder: string; indexUrl: string }> {
  const home = await temporaryFolder()
  const { indexUrl } = await servePackage()
  return { home, indexUrl, folder: await installTensorFlow(variant, { home, indexUrl }, fakeSteps) }
}

/** A living process that is not this one. */
function otherProcess(): number {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  onTestFinished(() => void child.kill())
  return child.pid ?? 0
}

test('takes the whole engine away, and it can be installed again', async () => {
  const { home, folder, indexUrl } = await installed()
  await removeTensorFlow(folder)
  expect(await readdir(home)).toEqual(['downloads'])
  expect(await installTensorFlow(variant, { home, indexUrl }, fakeSteps)).toBe(folder)
})

test('is refused while this process computes on it, and done when it has let go', async () => {
  const { home, folder } = await installed()
  const [first, second] = [holdEngine(folder), holdEngine(folder)]
  expect(await usersOf(folder)).toEqual([process.pid])
  await expect(removeTensorFlow(folder)).rejects.toMatchObject({
    code: 'busy',
    message: `Something computes on this engine: process ${process.pid}.`,
  })
  expect(await readInstalled(folder, variant)).not.toBeNull()
  first()
  await expect(removeTensorFlow(folder)).rejects.toMatchObject({ code: 'busy' })
  second()
  expect(existsSync(`${folder}.users`)).toBe(false)
  await removeTensorFlow(folder)
  expect(await readdir(home)).toEqual(['downloads'])
})

test('who has made sure of its own process is stopped by others only', async () => {
  const { home, folder } = await installed()
  const release = holdEngine(folder)
  const note = join(`${folder}.users`, `${otherProcess()}-note`)
  await writeFile(note, '')
  const isIdleHere = vi.fn(() => true)
  await expect(removeTensorFlow(folder, { isIdleHere })).rejects.toMatchObject({ code: 'busy' })
  expect(await readInstalled(folder, variant)).not.toBeNull()
  await rm(note)
  // Somebody here has begun in the meantime.
  isIdleHere.mockReturnValueOnce(false)
  await expect(removeTensorFlow(folder, { isIdleHere })).rejects.toMatchObject({ code: 'busy' })
  expect(await readInstalled(folder, variant)).not.toBeNull()
  await removeTensorFlow(folder, { isIdleHere })
  expect(await readdir(home)).toEqual(['downloads'])
  release()
})

test('is refused while an installer is at work, and sweeps what an earlier one left', async () => {
  const { home, folder } = await installed()
  await mkdir(join(home, '.staging-killed'))
  const release = await acquireLock(home)
  await expect(removeTensorFlow(folder)).rejects.toMatchObject({ code: 'busy' })
  expect(await readInstalled(folder, variant)).not.toBeNull()
  await release()
  await removeTensorFlow(folder)
  expect(await readdir(home)).toEqual(['downloads'])
})

test('a note of a process that is gone is deleted by the next who computes there', async () => {
  const { folder } = await installed()
  const users = `${folder}.users`
  await mkdir(users)
  await writeFile(join(users, '999999999-dead'), '')
  const release = holdEngine(folder)
  expect(await readdir(users)).toHaveLength(1)
  release()
})

test('what the dead and the silent left does not count', async () => {
  const { folder } = await installed()
  const users = `${folder}.users`
  await mkdir(users)
  await writeFile(join(users, '999999999-dead'), '')
  const silent = join(users, `${process.pid}-silent`)
  await writeFile(silent, '')
  const before = new Date(Date.now() - 600_000)
  await utimes(silent, before, before)
  expect(await usersOf(folder)).toEqual([])
  await removeTensorFlow(folder)
  expect(existsSync(users)).toBe(false)
})

test('cutting it off in the middle leaves nothing that counts as an engine', async () => {
  const { home, folder, indexUrl } = await installed()
  // As a process leaves it that is killed after its first step, and after its second.
  await rm(join(folder, 'manifest.json'))
  expect(await readInstalled(folder, variant)).toBeNull()
  await mkdir(join(home, '.staging-killed'))
  expect(await installTensorFlow(variant, { home, indexUrl }, fakeSteps)).toBe(folder)
  expect((await readdir(home)).filter((name) => name.startsWith('.'))).toEqual([])
})

test('where nothing can be noted, holding it is no error', async () => {
  const file = join(await temporaryFolder(), 'a file')
  await writeFile(file, '')
  const release = holdEngine(join(file, 'engine'))
  release()
})
