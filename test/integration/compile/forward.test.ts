// What looks at a model without training it (evaluation, inspection, encoding, reconstructions) is compiled, too: the same
// numbers as eagerly, bit for bit as recorded and within rounding with fused operations, also on the last, shorter batch.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { totalCodes, type ConfigInput } from '#shared/config/index'
import { openPack, type PackReader } from '#main/data/index'
import { Compiler, loadEngine, type Engine, type Values } from '#main/engine/index'
import { createModel } from '#main/model/index'
import { evaluate } from '#main/train/evaluate'
import { compiledForward, eagerForward, type Forward } from '#main/train/forward'
import { inspect } from '#main/train/inspect'
import { writeReconstructions } from '#main/train/samples'
import type { CheckpointState } from '#main/train/state'
import { encodeImages } from '#main/train/tokens'
import { CodeWindows } from '#main/train/windows'
import { compiledCases, compiledConfig } from '../../support/compiled-cases'
import { writePack } from '../../support/packs'

/** One whole batch of a pass, and a last one of three. */
const count = 67

let engine: Engine
let folder: string
let pack: PackReader
beforeAll(async () => {
  engine = await loadEngine('tensorflow-cpu')
  folder = await mkdtemp(join(tmpdir(), 'gyre-forward-'))
  const value = (image: number, at: number): number => Math.imul(768 * image + at + 1, 2_654_435_761) >>> 24
  const contents = { count, imageSize: 16, channelsIn: 3, imagesPerShard: 40, value } as const
  pack = openPack(await writePack(join(folder, 'pack'), contents))
})
afterAll(async () => {
  pack.close()
  engine.close()
  await rm(folder, { recursive: true, force: true })
})

type Compare = (compiled: Values, eager: Values, what: string) => void

/** Every pass over the images with compiled graphs, each result held against the eager one; which computations there were. */
async function compare(input: ConfigInput, exact: boolean, same: Compare): Promise<Set<string>> {
  const config = compiledConfig(input)
  const model = createModel(config, config.seed)
  if (!engine.graphs) throw new Error('The engine runs no graphs.')
  const compiler = new Compiler(engine.graphs, new Map([...model.trainable, ...model.state]), exact)
  const compile = vi.spyOn(compiler, 'compile')
  const [compiled, eager] = [compiledForward(compiler, model), eagerForward(model)]
  const seen = new Set<string>()
  const forward: Forward = {
    run: async (computation, values) => {
      const ours = await compiled.run(computation, values)
      const theirs: Record<string, Values> = await eager.run(computation, values)
      for (const [name, value] of Object.entries<Values>(ours))
        same(value, theirs[name] ?? new Float32Array(), `${computation.name}: ${name}`)
      seen.add(computation.name)
      return ours
    },
  }
  const windows = new CodeWindows(totalCodes(config), 1)
  const state = { step: 1, window: windows.running, lastWindow: null } as unknown as CheckpointState
  const all = Int32Array.from({ length: count }, (_, i) => i)
  const out = await mkdtemp(join(folder, 'out-'))
  await evaluate({ model, forward }, pack, all)
  await inspect({ model, forward, state }, pack, all, { split: 'all', nearest: 3 })
  await encodeImages({ model, forward }, pack, join(out, 'tokens.safetensors'), { step: 1 })
  await mkdir(join(out, 'samples'))
  await writeReconstructions(out, 1, forward, pack, all)
  // Falling back to the eager way would agree with it, of course.
  expect(compile.mock.results.map(({ type }) => type)).toEqual(
    Array.from({ length: 2 * seen.size }, () => 'return'),
  )
  compiler.close()
  model.dispose()
  return seen
}

const computations = new Set(['measure', 'inspect', 'encode', 'rebuild'])

describe('as recorded, bit for bit', () => {
  it.each(Object.entries(compiledCases))('%s', async (_, input) => {
    const before = tf.memory().numTensors
    const seen = await compare(input, true, (ours, theirs, what) => {
      expect(ours, what).toEqual(theirs)
    })
    expect(seen).toEqual(computations)
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('with fused operations, within rounding', () => {
  it.each(Object.entries(compiledCases))('%s', async (_, input) => {
    await compare(input, false, (ours, theirs, what) => {
      expect(ours.length, what).toBe(theirs.length)
      const scale = Math.max(...theirs.map(Math.abs))
      // Where two codes are as good as equally near, the other one may be found.
      const far = Array.from(ours).filter((value, i) => Math.abs(value - (theirs[i] ?? NaN)) > 1e-5 * scale)
      expect(far.length / ours.length, what).toBeLessThan(0.002)
    })
  })
})
