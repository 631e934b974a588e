// Tests and measurements of engines: one at a time, only while nothing else computes, and ended by a run that begins.
import { expect, it } from 'vitest'
import { Quiet } from '../../../src-main/service/quiet'

const nothing = (): Promise<null> => Promise.resolve(null)
/** Work that ends only by its signal. */
async function endless(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted()
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
}

it('is refused with what computes now', async () => {
  const quiet = new Quiet(() => Promise.resolve('The run “a” is being trained.'))
  await expect(quiet.use(undefined, () => Promise.resolve(1))).rejects.toMatchObject({
    code: 'busy',
    message: 'The run “a” is being trained.',
  })
})

it('takes one at a time, and the next one after it, however it ended', async () => {
  const quiet = new Quiet(nothing)
  const stop = new AbortController()
  const first = quiet.use(stop.signal, endless)
  await expect(quiet.use(undefined, () => Promise.resolve(1))).rejects.toMatchObject({ code: 'busy' })
  stop.abort(new Error('enough'))
  await expect(first).rejects.toThrow('enough')
  expect(await quiet.use(undefined, () => Promise.resolve(2))).toBe(2)
})

it('ends when a run begins, also one that begins while it is still being looked around', async () => {
  const quiet = new Quiet(nothing)
  const under = quiet.use(undefined, endless)
  quiet.giveWay('leaves')
  await expect(under).rejects.toMatchObject({
    code: 'busy',
    message: expect.stringContaining('“leaves”') as string,
  })
  const working = quiet.use(undefined, (signal) => {
    quiet.giveWay('birds')
    return endless(signal)
  })
  await expect(working).rejects.toMatchObject({ message: expect.stringContaining('“birds”') as string })
  // Nothing is under way: nothing happens.
  quiet.giveWay('later')
  expect(await quiet.use(undefined, () => Promise.resolve(3))).toBe(3)
})
