// A stop is never lost, whatever the run is doing at that moment.
import { expect, it, vi } from 'vitest'
import { defaultConfig } from '#shared/config/index'
import type { RunFile } from '#shared/contract/files'
import { Bus } from '../../../src-main/service/bus'
import { Jobs } from '../../../src-main/service/jobs'
import type { OwnedRun } from '../../../src-main/service/owned-run'
import { Training, type TrainingParts } from '../../../src-main/service/training'
import { fakeEngine } from '../../support/fake-trainer'
import { withFolder } from '../../support/folders'

/** A run in memory, whose disk is slow: `flush` waits. */
function slowRun(folder: string, flush: () => Promise<void>): OwnedRun {
  const file = {
    ...{ id: 'slow', name: 'slow', config: defaultConfig, engineWish: 'auto', step: 0 },
    dataset: { id: 'images' },
  } as unknown as RunFile
  const update = (change: Partial<RunFile>): void => {
    Object.assign(file, change)
  }
  const nothing = (): Promise<void> => Promise.resolve()
  const release = (change: Partial<RunFile>): Promise<void> => {
    update(change)
    return Promise.resolve()
  }
  const run = { id: file.id, folder, file, update, flush, release, log: nothing, shareWith: nothing }
  return run as unknown as OwnedRun
}

it('ends a run that is just about to train', async () => {
  await withFolder(async (folder) => {
    const train = vi.fn(() => new Promise(() => undefined))
    const none = (): (() => void) => () => undefined
    const trainer = { train, stop: () => Promise.resolve(), onRecord: none, onStatus: none, onStarting: none }
    const bus = new Bus()
    const training = new Training({
      ...{ bus, jobs: new Jobs(bus), host: {}, onBegin: () => undefined },
      datasets: {
        using: (_: string, work: () => unknown) => work(),
        pack: () => Promise.resolve('/packed'),
      },
      trainers: {
        use: (_: string, work: (...given: unknown[]) => unknown) =>
          Promise.resolve(work(trainer, { engine: fakeEngine('wasm'), pid: null })),
      },
    } as unknown as TrainingParts)
    let goOn: () => void = () => undefined
    const disk = new Promise<void>((resolve) => (goOn = resolve))
    const flushing = new Promise<void>((reached) => {
      const run = slowRun(folder, () => {
        reached()
        return disk
      })
      void training.enqueue(run)
    })
    await flushing
    const stopped = training.stop('slow')
    goOn()
    expect(await stopped).toMatchObject({ status: 'stopped', error: null })
    expect(train).not.toHaveBeenCalled()
  })
})
