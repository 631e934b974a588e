import { expect, test } from 'vitest'
import { TrainControl } from '#main/train/control'

test('pause is answered when the loop stands still, and resume lets it go on', async () => {
  const control = new TrainControl()
  const log: string[] = []
  const pausing = control.pause().then(() => log.push('paused'))
  expect(control.pausing).toBe(true)
  const standing = control.standStill().then(() => log.push('goes on'))
  await pausing
  expect(log).toEqual(['paused'])
  control.resume()
  await standing
  expect(log).toEqual(['paused', 'goes on'])
  expect(control.pausing).toBe(false)
})

test('a pause that is taken back before the loop noticed does not hang', async () => {
  const control = new TrainControl()
  const pausing = control.pause()
  control.resume()
  await pausing
  expect(control.pausing).toBe(false)
})

test('a stop ends a pause, and is answered when the loop has ended', async () => {
  const control = new TrainControl()
  void control.pause()
  const standing = control.standStill()
  let stopped = false
  const stopping = control.stop().then(() => (stopped = true))
  await standing
  expect(control.stopping).toBe(true)
  expect(control.stopSignal.aborted).toBe(true)
  expect(stopped).toBe(false)
  control.end()
  await stopping
  await control.pause()
  control.resume()
  expect(control.stopping).toBe(true)
})

test('a pause that comes as the loop ends is answered', async () => {
  const control = new TrainControl()
  const pausing = control.pause()
  control.end()
  await pausing
})
