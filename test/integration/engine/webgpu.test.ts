// The WebGPU engine on a graphics card in software, in the main thread and in workers: it computes, reads synchronously,
// and says what went wrong. What a real card would add is not tested here.
import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { chooseEngine, listEngines, loadEngine, testEngine, type Engine } from '#main/engine/index'
import { buildEngine } from '../../support/engine-bundle'
import { installSoftwareGpu, noSoftwareGpu } from '../../support/software-gpu'

const asked = { softwareGpu: true }

beforeAll(() => {
  if (noSoftwareGpu === null) installSoftwareGpu()
})
beforeEach(({ skip }) => skip(noSoftwareGpu !== null, noSoftwareGpu ?? ''))

describe('a software adapter', () => {
  test('is never taken unless asked for, and never by `auto`', async () => {
    const status = (await listEngines({ softwareGpu: false })).find(({ id }) => id === 'webgpu')
    expect(status).toMatchObject({ available: false, installed: true, device: '' })
    await expect(loadEngine('webgpu', { softwareGpu: false })).rejects.toMatchObject({
      code: 'engine-unavailable',
    })
    expect(await chooseEngine('webgpu', asked)).toEqual({ id: 'webgpu', reason: 'You chose it.' })
    const { id, reason } = await chooseEngine('auto', asked)
    expect(id).not.toBe('webgpu')
    expect(reason).not.toMatch(/software adapter/)
  })

  test('that is asked for is listed with its name', async () => {
    const status = (await listEngines(asked)).find(({ id }) => id === 'webgpu')
    expect(status).toMatchObject({ available: true, installed: true, installable: false, removable: false })
    expect(status?.device).toMatch(/swiftshader/i)
    expect(status?.reason).toMatch(/software adapter/)
  })
})

test('computes rightly, again after it was closed', async () => {
  for (let round = 0; round < 2; round++) {
    const { id, pass, checks } = await testEngine('webgpu', asked)
    expect([id, pass, checks.length]).toEqual(['webgpu', true, 5])
    for (const { name, error } of checks) expect(error, name).toBeLessThan(1e-5)
  }
})

describe('loaded', () => {
  let engine: Engine
  beforeEach(async () => {
    engine = await loadEngine('webgpu', asked)
    return () => engine.close()
  })

  const device = (): { destroy(): void; createBuffer(options: object): unknown } =>
    (tf.backend() as unknown as { device: { destroy(): void; createBuffer(options: object): unknown } })
      .device

  test('reads at once, also while other reads are under way', async () => {
    const x = tf.tensor1d([1, 2, 3])
    const twice = tf.mul(x, 2)
    const later = [tf.add(x, 1).data(), tf.sub(x, 1).data()]
    expect([...twice.dataSync()]).toEqual([2, 4, 6])
    expect([...tf.square(x).dataSync()]).toEqual([1, 4, 9])
    expect((await Promise.all(later)).map((values) => [...values])).toEqual([
      [2, 3, 4],
      [0, 1, 2],
    ])
    const whole = tf.range(0, 100_000, 1, 'int32')
    expect(tf.sum(tf.mod(whole, 7)).dataSync()[0]).toBe(
      Array.from({ length: 100_000 }, (_, i) => i % 7).reduce((a, b) => a + b),
    )
    tf.disposeVariables()
  })

  test('tells a number from what is none, as the check of each step needs', () => {
    const x = tf.div(tf.tensor1d([1, 0, -1, 4]), tf.tensor1d([0, 0, 0, 2])) // ∞, NaN, −∞, 2
    expect([...tf.less(x, Infinity).dataSync()]).toEqual([0, 0, 1, 1])
    expect([...tf.isNaN(x).dataSync()]).toEqual([0, 1, 0, 0])
  })

  test('a tensor that is too large is told as such, and does no harm', () => {
    expect(() => tf.fill([40_000, 40_000], 1).dataSync()).toThrow(
      expect.objectContaining({ code: 'out-of-memory', message: expect.stringMatching(/6400 MB/) as string }),
    )
    expect([...tf.add(tf.tensor1d([1]), 1).dataSync()]).toEqual([2])
  })

  test('a card that was lost says so, at every read', async () => {
    const x = tf.add(tf.tensor1d([1]), 1)
    device().destroy()
    for (const read of [() => x.dataSync(), () => tf.add(x, 1).dataSync()])
      expect(read).toThrow(expect.objectContaining({ code: 'engine-unavailable' }))
    await expect(x.data()).rejects.toMatchObject({ code: 'engine-unavailable' })
  })

  test('what the card refuses is an error of the step that asked', () => {
    const x = tf.add(tf.tensor1d([1]), 1)
    device().createBuffer({ size: 2 ** 50, usage: 0x80 })
    expect(() => x.dataSync()).toThrow(
      expect.objectContaining({
        code: 'engine-unavailable',
        message: expect.stringMatching(/refused/) as string,
      }),
    )
  })

  test('leaves no tensor behind over training steps', () => {
    const weights = tf.variable(tf.randomNormal<tf.Rank.R4>([4, 4, 3, 8]))
    const batch = tf.randomNormal<tf.Rank.R4>([2, 16, 16, 3])
    const counts = Array.from({ length: 5 }, () => {
      const { value, grads } = tf.variableGrads(() =>
        tf.mean(tf.square(tf.relu(tf.conv2d(batch, weights, 2, 'same')))),
      )
      for (const gradient of Object.values(grads))
        tf.tidy(() => weights.assign(tf.sub(weights, tf.mul(gradient, 0.1))))
      value.dataSync()
      tf.dispose([value, grads])
      const memory = tf.memory() as tf.MemoryInfo & { numBytesInGPU: number }
      return `${memory.numTensors} ${memory.numBytesInGPU}`
    })
    tf.dispose([weights, batch])
    expect(new Set(counts.slice(1)).size, counts.join('; ')).toBe(1)
  })
})

describe('bundled for plain Node', () => {
  let folder = ''

  beforeAll(async () => {
    folder = await buildEngine()
    await writeFile(
      join(folder, 'program.mjs'),
      `import { isMainThread, parentPort, Worker } from 'node:worker_threads'
       import { loadEngine, testEngine } from './engine.mjs'
       if (isMainThread) {
         console.log('main', (await testEngine('webgpu')).pass)
         const worker = new Worker(new URL(import.meta.url))
         worker.on('message', (pass) => console.log('worker', pass))
         worker.on('exit', async (code) => console.log('worker ended with', code, (await testEngine('webgpu')).pass))
       } else {
         const { tf } = await loadEngine('webgpu')
         parentPort.postMessage(tf.add(tf.tensor1d([1]), 1).dataSync()[0] === 2)
       }`,
    )
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('runs in the main thread and in a worker, and lets both end', async () => {
    const env = { ...process.env, GYRE_SOFTWARE_GPU: '1' }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(folder, 'program.mjs')], {
      env,
    })
    expect(stdout.trim().split('\n')).toEqual(['main true', 'worker true', 'worker ended with 0 true'])
    expect(stderr).toBe('')
  })

  test('goes on when everything that nobody holds is collected', async () => {
    const program = join(folder, 'collected.mjs')
    await writeFile(
      program,
      `import { setFlagsFromString } from 'node:v8'
       import { runInNewContext } from 'node:vm'
       import { setImmediate as turn } from 'node:timers/promises'
       import { loadEngine } from './engine.mjs'
       setFlagsFromString('--expose-gc')
       const collect = runInNewContext('gc')
       const { tf, close } = await loadEngine('webgpu')
       let x = tf.zeros([64, 64])
       for (let round = 0; round < 20; round++) {
         collect()
         await turn()
         x = tf.add(x, 1)
         if (x.dataSync()[0] !== round + 1) throw new Error('Wrong in round ' + round)
       }
       console.log('counted to', x.dataSync()[7])
       close()`,
    )
    const env = { ...process.env, GYRE_SOFTWARE_GPU: '1' }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program], { env })
    expect([stdout.trim(), stderr]).toEqual(['counted to 20', ''])
  })
})
