// The page's side of the worker: answers find their questions, failures find someone who waits.
import { describe, expect, it } from 'vitest'
import { createLabClient, type LabPort } from '../../../../src-renderer/pages/lab/lab-client'
import { latestOnly } from '../../../../src-renderer/pages/lab/latest'

type Sent = { id: number; call: string; payload: unknown }

function fakePort() {
  const listeners = new Map<string, (event: Event) => void>()
  const sent: Sent[] = []
  let terminated = false
  const port: LabPort = {
    postMessage: (message) => void sent.push(message as Sent),
    addEventListener: (type, listener) => void listeners.set(type, listener),
    terminate: () => (terminated = true),
  }
  return {
    port,
    sent,
    answer: (data: unknown) => listeners.get('message')?.({ data } as MessageEvent),
    break: () => listeners.get('error')?.({} as Event),
    isTerminated: () => terminated,
  }
}

describe('lab client', () => {
  it('gives each answer to its question', async () => {
    const fake = fakePort()
    const lab = createLabClient(fake.port)
    const [list, steps] = [lab.estimators(undefined), lab.step(3)]
    expect(fake.sent.map(({ call, payload }) => [call, payload])).toEqual([
      ['estimators', undefined],
      ['step', 3],
    ])
    fake.answer({ id: fake.sent[1]?.id, result: { frames: [], tookMs: 1 } })
    fake.answer({ id: fake.sent[0]?.id, result: [] })
    await expect(steps).resolves.toEqual({ frames: [], tookMs: 1 })
    await expect(list).resolves.toEqual([])
  })

  it('fails one question with its error, and all with a broken worker', async () => {
    const fake = fakePort()
    const lab = createLabClient(fake.port)
    const first = lab.step(1)
    fake.answer({ id: fake.sent[0]?.id, error: 'Start a simulation first.' })
    await expect(first).rejects.toThrow(/Start a simulation first/)
    const second = lab.step(1)
    fake.break()
    await expect(second).rejects.toMatchObject({ code: 'internal' })
    await expect(lab.step(1)).rejects.toMatchObject({ code: 'internal' })
  })

  it('cancels what is open when the Lab is left', async () => {
    const fake = fakePort()
    const lab = createLabClient(fake.port)
    const open = lab.step(1)
    lab.close()
    await expect(open).rejects.toMatchObject({ code: 'cancelled' })
    expect(fake.isTerminated()).toBe(true)
  })
})

describe('latest only', () => {
  it('asks the first and the newest of what came meanwhile', async () => {
    const asked: number[] = []
    const used: number[] = []
    const waiting: ((value: number) => void)[] = []
    const ask = latestOnly(
      (question: number) => {
        asked.push(question)
        return new Promise<number>((resolve) => waiting.push(resolve))
      },
      (answer) => void used.push(answer),
      () => undefined,
    )
    for (const question of [1, 2, 3, 4]) ask(question)
    expect(asked).toEqual([1])
    waiting[0]?.(10)
    await expect.poll(() => asked).toEqual([1, 4])
    waiting[1]?.(40)
    await expect.poll(() => used).toEqual([10, 40])
  })

  it('goes on after a failure', async () => {
    const failures: unknown[] = []
    const used: number[] = []
    const ask = latestOnly(
      (question: number) => (question === 1 ? Promise.reject(new Error('no')) : Promise.resolve(question)),
      (answer) => void used.push(answer),
      (error) => void failures.push(error),
    )
    ask(1)
    ask(2)
    await expect.poll(() => used).toEqual([2])
    expect(failures).toHaveLength(1)
  })
})
