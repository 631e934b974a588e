// A trainer in a process of its own: it answers over the process's channel, and its end says why.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { trainerContract } from '#shared/contract/trainer'
import { createClient } from '#shared/rpc/index'
import { processHost } from '#main/service/trainer-host'
import { withFolder } from '../../support/folders'
import { trainerEntry } from './open-service'

test('it computes, and ends when it is told to', async () => {
  const process = processHost(trainerEntry).start()
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
    expect(await processHost(entry).start().ended).toMatchObject({
      code: 'internal',
      message: 'The trainer stopped unexpectedly: exit code 3',
    })
  })
})
