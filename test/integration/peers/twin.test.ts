// The end-to-end twin: fifty steps of the network of "Quick look" from the same weights on the same batches, here and in
// PyTorch + vector-quantize-pytorch. The peer's losses are in test/peers/vectors/twin.json; where PyTorch is installed it
// trains again (GYRE_PEERS_WRITE=1 writes its losses there).
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installEngine, loadEngine, type Engine } from '#main/engine/index'
import { withFolder } from '../../support/folders'
import { peersPython } from '../../support/peers'
import {
  trainTwin,
  twinBatches,
  twins,
  twinSteps,
  writeBatches,
  writeStart,
  type TwinLosses,
} from './twin-side'

const vectors = resolve(import.meta.dirname, '../../peers/vectors/twin.json')
const limit = 1e-3
const python = await peersPython()
if ('missing' in python) console.warn(`The peer does not train again: ${python.missing}.`)

let engine: Engine
let batches: Uint8Array[]

beforeAll(async () => {
  await installEngine('tensorflow-cpu').catch(() => undefined)
  engine = await loadEngine('auto')
  batches = await withFolder(twinBatches)
})
afterAll(() => engine.close())

/** Largest difference of a step's loss, relative to the peer's. */
function worst(ours: readonly number[], theirs: readonly number[]): number {
  expect(ours).toHaveLength(theirs.length)
  return Math.max(...ours.map((value, i) => Math.abs(value - (theirs[i] ?? NaN)) / (theirs[i] ?? NaN)))
}

describe('the peer, trained again', () => {
  test('gives the committed losses', async ({ skip }) => {
    if ('missing' in python) return skip(python.missing)
    const found = await withFolder(async (folder) => {
      await writeBatches(join(folder, 'batches.safetensors'), batches)
      for (const twin of twins) await writeStart(join(folder, `${twin.name}.safetensors`), twin)
      return python.run([resolve(import.meta.dirname, '../../peers/twin.py'), folder])
    })
    if (process.env['GYRE_PEERS_WRITE'] === '1') await writeFile(vectors, found)
    const committed = JSON.parse(await readFile(vectors, 'utf8')) as Record<string, TwinLosses>
    const again = JSON.parse(found) as Record<string, TwinLosses>
    for (const { name, agree } of twins) {
      const [now, then] = [again[name]?.loss.slice(0, agree), committed[name]?.loss.slice(0, agree)]
      expect(worst(now ?? [], then ?? [])).toBeLessThan(limit)
    }
  })
})

describe('the steps agree with the peer', () => {
  test.each(twins)('$name, $agree of fifty', async (twin) => {
    const peer = (JSON.parse(await readFile(vectors, 'utf8')) as Record<string, TwinLosses>)[twin.name]
    if (!peer) throw new Error(`twin.json has no ${twin.name}.`)
    const ours = trainTwin(twin, batches)
    expect(ours.loss).toHaveLength(twinSteps)
    const first = (values: readonly number[]): number[] => values.slice(0, twin.agree)
    const found = {
      ...{ twin: twin.name, engine: engine.id, steps: twin.agree },
      loss: worst(first(ours.loss), first(peer.loss)),
      mse: worst(first(ours.mse), first(peer.mse)),
      allSteps: worst(ours.loss, peer.loss),
    }
    console.info(JSON.stringify(found))
    // It must have learnt something, or agreement would say little.
    expect(ours.mse.at(-1)).toBeLessThan(0.75 * (ours.mse[0] ?? 0))
    expect(found.loss).toBeLessThan(limit)
    expect(found.mse).toBeLessThan(limit)
  })
})
