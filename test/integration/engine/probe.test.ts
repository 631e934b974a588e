// The last look at an engine that was just built: every native part must load, or it is not called ready.
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { engineHome } from '#main/engine/home'
import { installEngine } from '#main/engine/index'
import { bindingFileName, graphFileName } from '#main/engine/tensorflow/binding-source'
import { engineFolder } from '#main/engine/tensorflow/installed'
import { probeBinding } from '#main/engine/tensorflow/probe'
import { findVariant } from '#main/engine/tensorflow/variants'

let folder: string
beforeAll(async () => {
  await installEngine('tensorflow-cpu')
  folder = await mkdtemp(join(tmpdir(), 'gyre-probe-'))
  const variant = findVariant('tensorflow-cpu')
  if (typeof variant === 'string') throw new Error(variant)
  const installed = await engineFolder(engineHome(), variant)
  for (const name of await readdir(installed)) await symlink(join(installed, name), join(folder, name))
}, 600_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

test('a whole engine is ready', async () => {
  expect(await probeBinding(join(folder, bindingFileName))).toBe('2.21.0')
})

test('one whose own module is damaged is not', async () => {
  await rm(join(folder, graphFileName))
  await writeFile(join(folder, graphFileName), 'no library')
  await expect(probeBinding(join(folder, bindingFileName))).rejects.toMatchObject({
    code: 'engine-unavailable',
    message: expect.stringMatching(/does not run here.*gyre_graph\.node/) as string,
  })
})
