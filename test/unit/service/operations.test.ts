// What is asked of a checkpoint besides training can be cancelled: the trainer hears of it.
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { expect, it, vi } from 'vitest'
import { defaultConfig } from '#shared/config/index'
import { Bus } from '../../../src-main/service/bus'
import { Jobs, type StartedJob } from '../../../src-main/service/jobs'
import { Operations, type OperationParts } from '../../../src-main/service/operations'
import { fakeEngine } from '../../support/fake-trainer'
import { withFolder } from '../../support/folders'

type Asked = (input: unknown, options: { signal?: AbortSignal }) => Promise<never>

it.each(['evaluate', 'encode', 'decode'] as const)('%s', async (name) => {
  await withFolder(async (folder) => {
    const began = vi.fn()
    const work: Asked = (_, { signal }) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error))
        began()
      })
    const dataset = { id: 'images', source: join(folder, 'images') }
    const jobs = new Jobs(new Bus())
    const operations = new Operations({
      jobs,
      store: {
        read: () => Promise.resolve({ config: defaultConfig, dataset }),
        folderOf: () => folder,
      },
      runs: { datasetOf: () => Promise.resolve(dataset) },
      datasets: {
        get: () => Promise.resolve(dataset),
        using: (_: string, inner: () => unknown) => inner(),
        pack: () => Promise.resolve('/packed'),
      },
      trainers: {
        use: (_: string, inner: (...given: unknown[]) => unknown) =>
          inner({ [name]: work, onProgress: () => () => undefined }, { engine: fakeEngine('wasm') }),
      },
    } as unknown as OperationParts)
    const tokens = join(folder, 'tokens.safetensors')
    await writeFile(tokens, '')
    const target = { runId: 'run', checkpoint: 'last', datasetId: 'images', tokens } as const
    const out = join(folder, 'out')
    const started: StartedJob<unknown> = operations[name]({ ...target, out })
    await vi.waitFor(() => expect(began).toHaveBeenCalled())
    jobs.cancel(started.id)
    await expect(started.finished).rejects.toMatchObject({ code: 'cancelled' })
    expect(jobs.list().at(-1)?.status).toBe('cancelled')
  })
})
