// What is asked of a trained checkpoint: metrics, codebook inspection, tokens, tiles. Everything is computed a second
// time here, plainly and in float64, from the tensors of the checkpoint and the tokens the model gives.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPack, type PackReader } from '#main/data/pack-reader'
import { splitIndices } from '#main/data/split'
import { readSafetensors, writeSafetensors } from '#main/export/safetensors'
import { createModel } from '#main/model/index'
import { readTensors, resolveCheckpoint } from '#main/train/checkpoint'
import { nearestOf, readInspection } from '#main/train/inspection'
import { restore } from '#main/train/tensors'
import { context, createWorld, startTrainer, tinyConfig, type InProcess, type World } from './world'

const { codebookSize: K, codeDim: D, imageSize: S } = tinyConfig
const H = S / 4

let world: World
let packed: string
let runFolder: string
let trainer: InProcess
let pack: PackReader
/** Of every image of the pack, by position: tokens [H·W], latents [H·W·D]. */
let tokens: Int32Array
let latents: Float32Array
let codebook: Float32Array

beforeAll(async () => {
  world = await createWorld()
  packed = await world.pack()
  trainer = await startTrainer('tensorflow-cpu')
  runFolder = await world.run('run')
  await trainer.call.train({ runFolder, packed }, context)
  pack = openPack(packed)
  const out = join(world.folder, 'tokens.safetensors')
  const result = await trainer.call.encode({ runFolder, checkpoint: 'last', packed, out }, context)
  expect(result).toEqual({ images: 40, tokens: [H, H], step: tinyConfig.steps })
  const encoded = await readSafetensors(out)
  expect(JSON.parse(encoded.metadata.get('files') ?? '')).toEqual(pack.files())
  expect(encoded.tensors.get('tokens')?.shape).toEqual([40, H, H])
  expect(encoded.tensors.get('latents')?.shape).toEqual([40, H, H, D])
  tokens = encoded.tensors.get('tokens')?.data as Int32Array
  latents = encoded.tensors.get('latents')?.data as Float32Array
  const { folder } = await resolveCheckpoint(runFolder, 'last')
  codebook = (await readTensors(folder, 'model', ['codebook'])).get('codebook')?.data as Float32Array
})
afterAll(async () => {
  pack.close()
  await world.close()
})

function squaredDistance(vector: number, code: number): number {
  let sum = 0
  for (let d = 0; d < D; d++) sum += ((latents[vector * D + d] ?? 0) - (codebook[code * D + d] ?? 0)) ** 2
  return sum
}

test('tokens are the nearest codes of the latents', () => {
  for (let vector = 0; vector < tokens.length; vector++) {
    const distances = Array.from({ length: K }, (_, code) => squaredDistance(vector, code))
    const chosen = distances[tokens[vector] ?? -1] ?? Number.NaN
    expect(chosen).toBeLessThanOrEqual(Math.min(...distances) * (1 + 1e-5) + 1e-9)
  }
})

/** Reconstructions in [−1, 1] of some images, by the model itself. */
async function reconstruct(images: Int32Array): Promise<Float32Array> {
  const model = createModel(tinyConfig, 0)
  const { folder } = await resolveCheckpoint(runFolder, 'last')
  restore([...model.trainable, ...model.state], await readTensors(folder, 'model'))
  const codes = Int32Array.from(
    [...images].flatMap((image) => [...tokens.subarray(image * H * H, (image + 1) * H * H)]),
  )
  const decoded = tf.tidy(() =>
    model
      .decode(tf.reshape(tf.gather(model.codebook(), tf.tensor1d(codes, 'int32')), [images.length, H, H, D]))
      .dataSync(),
  )
  model.dispose()
  return decoded as Float32Array
}

test('validation metrics are those of their definitions', async () => {
  const { validation: indices } = splitIndices(pack.files(), tinyConfig.validationFraction)
  const { validation } = await trainer.call.evaluate(
    { runFolder, checkpoint: 'last', packed, split: 'validation' },
    context,
  )
  const pixels = new Uint8Array(indices.length * S * S * 3)
  pack.read(indices, pixels)
  const decoded = await reconstruct(indices)
  let squares = 0
  for (const [at, value] of decoded.entries()) squares += (value - ((pixels[at] ?? 0) / 127.5 - 1)) ** 2
  const mse = squares / decoded.length
  const counts = new Map<number, number>()
  let error = 0
  for (const image of indices)
    for (let token = 0; token < H * H; token++) {
      const code = tokens[image * H * H + token] ?? -1
      counts.set(code, (counts.get(code) ?? 0) + 1)
      error += squaredDistance(image * H * H + token, code)
    }
  const vectors = indices.length * H * H
  const entropy = [...counts.values()].reduce((sum, n) => sum - (n / vectors) * Math.log(n / vectors), 0)
  const expected = {
    mse,
    psnr: 10 * Math.log10(4 / mse),
    usage: counts.size / K,
    usagePer256: counts.size / K,
    perplexity: Math.exp(entropy),
    quantizationError: error / vectors,
    commitmentLoss: (tinyConfig.commitmentWeight * error) / vectors / D,
    images: indices.length,
  }
  expect(Object.keys(validation).sort()).toEqual(Object.keys(expected).sort())
  for (const [name, value] of Object.entries(expected)) {
    const found = validation[name as keyof typeof expected]
    expect(Math.abs(found - value) / Math.abs(value), name).toBeLessThan(1e-5)
  }
})

describe('inspection', () => {
  test.each(['train', 'all'] as const)(
    'of the %s images: counts, distances, nearest samples',
    async (split) => {
      const out = join(runFolder, 'inspection', split)
      const images =
        split === 'all'
          ? Int32Array.from({ length: 40 }, (_, i) => i)
          : splitIndices(pack.files(), tinyConfig.validationFraction).train
      const result = await trainer.call.inspect(
        { runFolder, checkpoint: 'last', packed, split, nearest: 5, out },
        context,
      )
      expect(result).toEqual({ step: tinyConfig.steps, images: images.length })
      const inspection = await readInspection(out)
      const all = [...images].flatMap((image) =>
        Array.from({ length: H * H }, (_, token) => {
          const code = tokens[image * H * H + token] ?? -1
          const distance = Math.sqrt(squaredDistance(image * H * H + token, code))
          return { code, item: pack.item(image), row: Math.floor(token / H), column: token % H, distance }
        }),
      )
      const used = new Set(all.map(({ code }) => code))
      expect(inspection.summary).toMatchObject({
        images: images.length,
        vectors: all.length,
        tokens: [H, H],
        used: used.size,
      })
      expect(inspection.summary.usage).toBe(used.size / K)
      for (let code = 0; code < K; code++) {
        const mine = all.filter((one) => one.code === code)
        expect(inspection.counts[code]).toBe(mine.length)
        const mean = mine.reduce((sum, { distance }) => sum + distance, 0) / mine.length
        if (mine.length === 0) expect(inspection.meanDistance[code]).toBeNaN()
        else expect(inspection.meanDistance[code]).toBeCloseTo(mean, 5)
        const norm = Math.hypot(...codebook.subarray(code * D, (code + 1) * D))
        expect(inspection.norms[code]).toBeCloseTo(norm, 5)
        const nearest = nearestOf(inspection, code, 5)
        const expected = mine.sort((a, b) => a.distance - b.distance).slice(0, 5)
        expect(nearest).toHaveLength(expected.length)
        for (const [i, sample] of nearest.entries()) {
          expect(sample.distance).toBeCloseTo(expected[i]?.distance ?? Number.NaN, 5)
          const same = mine.find(
            ({ item, row, column }) => item === sample.item && row === sample.row && column === sample.column,
          )
          expect(same?.distance).toBeCloseTo(sample.distance, 5)
        }
      }
    },
  )

  test('dead codes are those that no training step of the window chose', async () => {
    const { state } = await resolveCheckpoint(runFolder, 'last')
    const inspection = await readInspection(join(runFolder, 'inspection', 'all'))
    expect(state.lastWindow).toMatchObject({ from: 16, to: 24 })
    expect(inspection.summary.deadWindow).toBe('training steps 17 to 24')
    expect([...inspection.deadFlags]).toEqual(state.lastWindow?.counts.map((count) => (count === 0 ? 1 : 0)))
    expect(inspection.summary.dead).toBe(state.lastWindow?.counts.filter((count) => count === 0).length)
    // 8 steps of 4 images: every vector of the window was counted.
    expect(state.lastWindow?.counts.reduce((a, b) => a + b)).toBe(8 * 4 * H * H)
  })

  test('cancelling leaves nothing behind, and a damaged result says so', async () => {
    const out = join(runFolder, 'inspection', 'cancelled')
    const controller = new AbortController()
    controller.abort(new Error('enough'))
    const input = { runFolder, checkpoint: 'last', packed, split: 'all', nearest: 5, out } as const
    await expect(trainer.call.inspect(input, { ...context, signal: controller.signal })).rejects.toThrow(
      'enough',
    )
    expect(await readdir(join(runFolder, 'inspection'))).toEqual(['all', 'train'])
    await expect(readInspection(out)).rejects.toMatchObject({ code: 'not-found' })
    await trainer.call.inspect(input, context)
    await writeFile(join(out, 'arrays.safetensors'), 'broken')
    await expect(readInspection(out)).rejects.toMatchObject({ code: 'corrupt' })
  })
})

describe('decoding', () => {
  test('tokens back to pictures, named after their files', async () => {
    const out = join(world.folder, 'decoded')
    const result = await trainer.call.decode(
      { runFolder, checkpoint: 'last', tokens: join(world.folder, 'tokens.safetensors'), out },
      context,
    )
    expect(result).toEqual({ images: 40, step: tinyConfig.steps })
    expect((await readdir(out)).sort()).toEqual(pack.files().sort())
    const name = pack.file(17)
    const { data } = await sharp(await readFile(join(out, name)))
      .raw()
      .toBuffer({ resolveWithObject: true })
    const expected = await reconstruct(Int32Array.of(17))
    const furthest = expected.reduce((most, value, at) => {
      const byte = Math.min(255, Math.max(0, (value + 1) * 127.5))
      return Math.max(most, Math.abs(byte - (data[at] ?? 0)))
    }, 0)
    expect(furthest).toBeLessThanOrEqual(0.51)
  })

  test('hostile names stay inside the folder', async () => {
    const path = join(world.folder, 'hostile.safetensors')
    const names = [
      '../../up.png',
      '/etc/passwd',
      'a/../../b.jpg',
      'C:\\x\\y.png',
      'same.png',
      'same.jpg',
      '..',
      'dir/x\u0000.png',
    ]
    const data = new Int32Array(names.length * H * H)
    await writeSafetensors(path, [{ name: 'tokens', dtype: 'I32', shape: [names.length, H, H], data }], {
      files: JSON.stringify(names),
    })
    const before = (await readdir(world.folder)).sort()
    const out = join(world.folder, 'inside')
    await trainer.call.decode({ runFolder, checkpoint: 'last', tokens: path, out }, context)
    expect((await readdir(world.folder)).sort()).toEqual([...before, 'inside'].sort())
    const written = (await readdir(out, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    )
    expect(written).toHaveLength(names.length)
    expect(await readdir(out)).toEqual(
      expect.arrayContaining(['up.png', 'same.png', 'same.jpg.png', 'image.png']),
    )
  })

  test('tokens that do not fit the model are refused', async () => {
    const path = join(world.folder, 'wrong.safetensors')
    const input = { runFolder, checkpoint: 'last', tokens: path, out: join(world.folder, 'never') } as const
    const write = (shape: number[], code: number): Promise<void> =>
      writeSafetensors(path, [
        {
          name: 'tokens',
          dtype: 'I32',
          shape,
          data: new Int32Array(shape.reduce((a, b) => a * b)).fill(code),
        },
      ])
    for (const [shape, code] of [
      [[1, H, H + 1], 0],
      [[H, H], 0],
      [[1, H, H], K],
      [[1, H, H], -1],
    ] as const) {
      await write([...shape], code)
      await expect(trainer.call.decode(input, context)).rejects.toMatchObject({ code: 'invalid-input' })
    }
    expect(await readdir(world.folder)).not.toContain('never')
  })

  test('a tile is the middle of a picture whose every token is the code', async () => {
    const large = { ...tinyConfig, imageSize: 32, steps: 1 }
    const other = await world.run('large', large)
    const [S2, H2] = [large.imageSize, large.imageSize / 4]
    await trainer.call.train({ runFolder: other, packed: await world.pack(large) }, context)
    const target = { runFolder: other, checkpoint: 'last' } as const
    const { size, pixels } = await trainer.call.decodeCodes({ ...target, indices: [3, 11] }, context)
    expect(size).toBe(16)
    expect(pixels).toHaveLength(2 * size * size * 3)
    const constant = join(world.folder, 'constant.safetensors')
    const data = new Int32Array(H2 * H2).fill(11)
    await writeSafetensors(constant, [{ name: 'tokens', dtype: 'I32', shape: [1, H2, H2], data }])
    const out = join(world.folder, 'constant')
    await trainer.call.decode({ ...target, tokens: constant, out }, context)
    const whole = await sharp(await readFile(join(out, 'image-000000.png')))
      .raw()
      .toBuffer()
    const start = (S2 - size) / 2
    const rows = Array.from({ length: size }, (_, row) => {
      const from = ((start + row) * S2 + start) * 3
      return whole.subarray(from, from + size * 3)
    })
    expect(Buffer.from(pixels.subarray(size * size * 3))).toEqual(Buffer.concat(rows))
    await expect(trainer.call.decodeCodes({ ...target, indices: [K] }, context)).rejects.toMatchObject({
      code: 'invalid-input',
    })
  })
})
