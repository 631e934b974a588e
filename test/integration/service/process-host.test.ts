// A trainer in a process of its own: it answers over the process's channel, and its end says why.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { trainerContract } from '#shared/contract/trainer'
import { createClient } from '#shared/rpc/index'
import { processHost } from '#main/service/process-host'
import { threadHost } from '#main/service/thread-host'
import { chosenHost } from '#main/service/trainer-host'
import { withFolder } from '../../support/folders'
import { installSoftwareGpu, noSoftwareGpu } from '../../support/software-gpu'
import { vectorFiles } from '../../support/vector-files'
import { trainerEntry } from './open-service'

afterEach(() => void vi.unstubAllEnvs())

test('it computes, and ends when it is told to', async () => {
  const process = await processHost(trainerEntry).start()
  const { trainer } = createClient(trainerContract, process.transport)
  expect(await trainer.load({ engine: 'wasm' })).toMatchObject({ id: 'wasm' })
  expect(await trainer.memory()).toMatchObject({ tensors: 0 })
  await process.kill()
  expect(await process.ended).toBeNull()
  await expect(trainer.memory()).rejects.toMatchObject({ code: 'disconnected' })
})

test('a trainer that falls over tells with what', async () => {
  await withFolder(async (folder) => {
    const entry = join(folder, 'trainer.mjs')
    await writeFile(entry, 'process.exit(3)\n')
    const started = await processHost(entry).start()
    expect(await started.ended).toMatchObject({
      code: 'internal',
      message: 'The trainer stopped unexpectedly: exit code 3',
    })
  })
})

test('on a graphics card it can be ended in the middle of its work, and nothing else ends with it', async ({
  skip,
}) => {
  skip(noSoftwareGpu !== null, noSoftwareGpu ?? '')
  installSoftwareGpu()
  vi.stubEnv('GYRE_SOFTWARE_GPU', '1')
  const hosts = { thread: threadHost(trainerEntry), process: processHost(trainerEntry) }
  // Whatever the setting says.
  const host = chosenHost(hosts, () => Promise.resolve('thread'))
  const started = await host.start('webgpu')
  expect(started.pid).not.toBeNull()
  const { trainer } = createClient(trainerContract, started.transport)
  expect(await trainer.load({ engine: 'webgpu' })).toMatchObject({ id: 'webgpu', name: 'WebGPU' })
  expect((await trainer.examine()).filter(({ pass }) => !pass)).toEqual([])
  const file = vectorFiles.find(({ name }) => name === 'quantizers')?.file ?? ''
  const verifying = expect(trainer.verify({ kind: 'quantizers', file })).rejects.toMatchObject({
    code: 'disconnected',
  })
  await started.kill()
  await verifying
  expect(await started.ended).toBeNull()
})
