// Who shares a trainer: memory that ran out for one, and an engine that looked right and does not start.
import { expect, it, vi } from 'vitest'
import type { EngineId, EngineWish } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { TrainerClient, type EngineChooser } from '../../../src-main/service/trainer-client'
import { fakeEngine, fakeTrainers } from '../../support/fake-trainer'

const full = new GyreError('out-of-memory', 'The memory is not enough for this.')

const always = (id: EngineId): EngineChooser => ({
  choose: () => Promise.resolve({ id, reason: 'It is there.' }),
  passOver: () => undefined,
})

/** Whether work that goes on while other work runs out of memory comes to its end. */
async function outlivesOthers(id: EngineId): Promise<boolean> {
  const host = fakeTrainers(() => ({
    load: () => fakeEngine(id),
    memory: () => ({ tensors: 0, bytes: 0, rssBytes: 1, cpuMs: 1 }),
  }))
  const trainers = new TrainerClient(host, always(id))
  let release: () => void = () => undefined
  const waiting = new Promise<void>((resolve) => (release = resolve))
  const run = trainers.use('auto', async (trainer) => {
    await waiting
    return trainer.memory()
  })
  await expect(trainers.use('any', () => Promise.reject(full))).rejects.toBe(full)
  release()
  const outlived = await run.then(
    () => true,
    () => false,
  )
  // Alone, whatever ran out of memory gives all of it back.
  await expect(trainers.use('any', () => Promise.reject(full))).rejects.toBe(full)
  expect(host.alive).toBe(0)
  await trainers.close()
  return outlived
}

it('a look that needs too much memory ends no run on the processor', async () => {
  expect(await outlivesOthers('tensorflow-cpu')).toBe(true)
})

it.each(['wasm', 'webgpu', 'tensorflow-cuda'] as const)(
  'what ran out of memory is not used any more on %s',
  async (id) => {
    expect(await outlivesOthers(id)).toBe(false)
  },
)

it('`auto` leads to the next engine where the first does not start, and a wish by name does not', async () => {
  const notStarted = new Map<EngineId, string>()
  const load = vi.fn(({ engine }: { engine: EngineWish }) => {
    if (engine === 'tensorflow-cuda') throw new GyreError('engine-unavailable', 'There is no card.')
    return fakeEngine(engine)
  })
  const host = fakeTrainers(() => ({ load }))
  const trainers = new TrainerClient(host, {
    choose: (wish) => {
      const first = notStarted.has('tensorflow-cuda') ? 'tensorflow-cpu' : 'tensorflow-cuda'
      return Promise.resolve({ id: wish === 'auto' ? first : wish, reason: '' })
    },
    passOver: (id, reason) => void notStarted.set(id, reason),
  })
  await expect(trainers.use('tensorflow-cuda', () => Promise.resolve(1))).rejects.toMatchObject({
    code: 'engine-unavailable',
  })
  expect(notStarted.size).toBe(0)
  const used = await trainers.use('auto', (_, { engine }) => Promise.resolve(engine.id))
  expect(used).toBe('tensorflow-cpu')
  expect([...notStarted]).toEqual([['tensorflow-cuda', 'There is no card.']])
  expect(trainers.holds('tensorflow-cpu')).toBe(true)
  expect(trainers.holds('tensorflow-cuda')).toBe(false)
  expect(host.alive).toBe(1)
  await trainers.close()
})
