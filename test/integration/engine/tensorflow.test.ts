import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  bfloat16Refusal,
  examine,
  installEngine,
  listEngines,
  loadEngine,
  testEngine,
  type NativeGraph,
} from '#main/engine/index'
import { buildEngine } from '../../support/engine-bundle'

// The engine that is there is used; where there is none, running the tests is the asking for it.
beforeAll(async () => {
  await installEngine('tensorflow-cpu')
}, 600_000)

describe('the engines of this machine', () => {
  test('are listed with TensorFlow installed', async () => {
    const [, , tensorFlow, wasm] = await listEngines()
    expect(tensorFlow).toMatchObject({
      id: 'tensorflow-cpu',
      available: true,
      version: '2.21.0',
      removable: true,
    })
    expect(wasm).toMatchObject({ id: 'wasm', available: true })
  })

  test.each(['tensorflow-cpu', 'wasm'] as const)(
    '%s computes rightly, again after it was closed',
    async (id) => {
      for (let round = 0; round < 2; round++) {
        const result = await testEngine(id)
        expect(result).toMatchObject({ id, pass: true })
        const compiled = id === 'wasm' ? 0 : bfloat16Refusal(id) === null ? 12 : 6
        expect(result.checks).toHaveLength(5 + compiled)
        for (const { name, error } of result.checks)
          expect(error, name).toBeLessThan(name.includes('bfloat16') ? 1e-2 : 1e-5)
      }
    },
  )

  test('the self-test sees a wrong number in what is compiled, and leaves no tensor behind', async () => {
    const engine = await loadEngine('tensorflow-cpu')
    const { graphs } = engine
    if (!graphs) throw new Error('The engine runs no graphs.')
    const run: NativeGraph['run'] = (...call) => {
      const results = graphs.run(...call)
      for (const [, , bytes] of results) new Float32Array(bytes).fill(NaN, 0, 1)
      return results
    }
    const before = tf.memory().numTensors
    const wrong = examine({ ...engine, graphs: { ...graphs, run } }).filter(({ pass }) => !pass)
    expect(tf.memory().numTensors).toBe(before)
    expect(wrong).toHaveLength(bfloat16Refusal(engine.id) === null ? 12 : 6)
    expect(wrong.every(({ name }) => name.includes('compiled'))).toBe(true)
    engine.close()
  })

  test('share one tfjs-core with the code that uses them', async () => {
    const engine = await loadEngine('auto')
    expect(engine.id).toBe('tensorflow-cpu')
    expect(engine.tf.engine()).toBe(tf.engine())
    expect(tf.getBackend()).toBe('tensorflow')
    expect(engine.graphs).toHaveProperty('run')
    engine.close()
  })

  test('leave no tensor behind over training steps', async () => {
    for (const id of ['tensorflow-cpu', 'wasm'] as const) {
      const engine = await loadEngine(id)
      const weights = tf.variable(tf.randomNormal<tf.Rank.R4>([4, 4, 3, 8]))
      const batch = tf.randomNormal<tf.Rank.R4>([2, 16, 16, 3])
      const step = (): void => {
        const { value, grads } = tf.variableGrads(() =>
          tf.mean(tf.square(tf.relu(tf.conv2d(batch, weights, 2, 'same')))),
        )
        for (const gradient of Object.values(grads))
          tf.tidy(() => weights.assign(tf.sub(weights, tf.mul(gradient, 0.1))))
        tf.dispose([value, grads])
      }
      const counts = Array.from({ length: 6 }, () => {
        step()
        return tf.memory().numTensors
      })
      expect(new Set(counts).size, `${id}: ${counts.join()}`).toBe(1)
      tf.dispose([weights, batch])
      engine.close()
    }
  })
})

describe('bundled for plain Node', () => {
  let folder = ''

  beforeAll(async () => {
    folder = await buildEngine()
    await writeFile(
      join(folder, 'program.mjs'),
      `import { isMainThread, Worker } from 'node:worker_threads'
       import { testEngine } from './engine.mjs'
       const where = isMainThread ? 'main' : 'worker'
       for (const id of ['tensorflow-cpu', 'wasm']) console.log(where, id, (await testEngine(id)).pass)
       if (isMainThread && process.argv[2] === 'both') new Worker(new URL(import.meta.url))`,
    )
    await writeFile(
      join(folder, 'worker-only.mjs'),
      `import { Worker } from 'node:worker_threads'
       new Worker(new URL('./program.mjs', import.meta.url))`,
    )
  })

  afterAll(() => rm(folder, { recursive: true, force: true }))

  const run = promisify(execFile)
  // The test runner's own log level would hide what is tested here.
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: undefined }

  test('they run in the main thread and in a worker beside it, and say nothing on stderr', async () => {
    const { stdout, stderr } = await run(process.execPath, [join(folder, 'program.mjs'), 'both'], { env })
    expect(stdout.trim().split('\n')).toEqual([
      'main tensorflow-cpu true',
      'main wasm true',
      'worker tensorflow-cpu true',
      'worker wasm true',
    ])
    expect(stderr).toBe('')
  })

  test('they run in a worker alone, as quietly', async () => {
    const { stdout, stderr } = await run(process.execPath, [join(folder, 'worker-only.mjs')], { env })
    expect(stdout.trim().split('\n')).toEqual(['worker tensorflow-cpu true', 'worker wasm true'])
    expect(stderr).toBe('')
  })
})
