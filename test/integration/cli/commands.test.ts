// The whole way through the built command line, each step checked against the files of the others.
import { cp, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { applySettings, checkConfig } from '#shared/config/index'
import { runFile } from '#shared/contract/files'
import {
  decodeResult,
  encodeResult,
  engineListResult,
  exportResult,
  inspectResult,
  trainResult,
} from '#main/cli/results'
import { readSafetensors } from '#main/export/safetensors'
import { copyEmoji } from '../../support/sample'
import { ensureBuilt, gyre, tiny } from './run-gyre'

let root: string
let library: string
let images: string
let run: string

beforeAll(async () => {
  await ensureBuilt()
  root = await mkdtemp(join(tmpdir(), 'gyre-cli-'))
  ;[library, images, run] = [join(root, 'library'), join(root, 'images'), join(root, 'my run')]
  await copyEmoji(images, 30)
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('gyre', () => {
  it('trains into the folder that was asked for', async () => {
    const found = await gyre(
      library,
      'train',
      '--data',
      images,
      '--out',
      run,
      '--set',
      ...tiny,
      'steps=8',
      '--json',
    )
    expect(found, found.stderr).toMatchObject({ code: 0 })
    const result = trainResult.strict().parse(found.json)
    expect(result).toMatchObject({ run, step: 8, validation: { images: 6 } })
    const file = runFile.parse(JSON.parse(await readFile(join(run, 'run.json'), 'utf8')))
    expect(file).toMatchObject({ status: 'finished', step: 8, engine: { id: result.engine } })
    expect(file.engine?.reason).not.toBe('')
    const said = found.stderr.split(`Engine: ${file.engine?.name}. ${file.engine?.reason}`)
    expect(said).toHaveLength(2)
    expect(said[0]).not.toContain('Training')
    const log = await readFile(join(run, 'log.txt'), 'utf8')
    expect(log.split('Saved at step 8.')).toHaveLength(2)
    expect(await readdir(join(library, 'runs'))).toEqual([])
  })

  it('trains a finished run on, and refuses to without more steps', async () => {
    const refused = await gyre(library, 'resume', run, '--json')
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'invalid-input' } } })
    const found = await gyre(library, 'resume', run, '--steps', '12', '--json')
    expect(found, found.stderr).toMatchObject({ code: 0, json: { run, step: 12 } })
  })

  it('evaluates to what training measured', async () => {
    const file = runFile.parse(JSON.parse(await readFile(join(run, 'run.json'), 'utf8')))
    const found = await gyre(library, 'evaluate', run, '--checkpoint', 'last', '--json')
    const { validation, step } = trainResult.parse(found.json)
    expect({ ...validation, step }).toEqual(file.last)
    const whole = await gyre(library, 'evaluate', run, '--data', images, '--json')
    expect(trainResult.parse(whole.json).validation?.images).toBe(30)
  })

  it('encodes, inspects, decodes and exports to files that agree', async () => {
    const [tokensFile, pngs, model] = [
      join(root, 'codes', 't.safetensors'),
      join(root, 'png'),
      join(root, 'model'),
    ]
    const encoded = await gyre(library, 'encode', run, '--data', images, '--out', tokensFile, '--json')
    expect(encodeResult.strict().parse(encoded.json)).toMatchObject({
      images: 30,
      tokens: [4, 4],
      out: tokensFile,
    })
    const inspected = await gyre(library, 'inspect', run, '--data', images, '--nearest', 'n=3', '--json')
    const inspection = inspectResult.strict().parse(inspected.json)
    const decoded = await gyre(library, 'decode', run, '--tokens', tokensFile, '--out', pngs, '--json')
    expect(decodeResult.strict().parse(decoded.json)).toMatchObject({ images: 30, out: pngs })
    const exported = await gyre(library, 'export', run, '--to', 'safetensors', '--out', model, '--json')
    const { tensors } = exportResult.strict().parse(exported.json)
    expect(tensors).toContainEqual({ name: 'codebook', shape: [16, 4] })

    const { tensors: codes, metadata } = await readSafetensors(tokensFile)
    const tokens = codes.get('tokens')
    const latents = codes.get('latents')?.data ?? new Float32Array()
    const codebook =
      (await readSafetensors(join(model, 'model.safetensors'))).tensors.get('codebook')?.data ?? []
    expect(tokens?.shape).toEqual([30, 4, 4])
    const files = JSON.parse(metadata.get('files') ?? '[]') as string[]
    const counts = new Array<number>(16).fill(0)
    for (const token of tokens?.data ?? []) counts[token] = (counts[token] ?? 0) + 1
    expect(inspection.codes.map(({ count }) => count)).toEqual(counts)
    expect(inspection).toMatchObject({
      images: 30,
      total: 16,
      used: counts.filter((count) => count > 0).length,
    })
    for (const { index, count, nearest } of inspection.codes) {
      expect(nearest).toHaveLength(Math.min(3, count))
      const distances = nearest.map(({ distance }) => distance)
      expect(distances).toEqual([...distances].sort((a, b) => a - b))
      for (const { file, row, column, distance } of nearest) {
        const at = (files.indexOf(file) * 4 + row) * 4 + column
        expect(tokens?.data[at]).toBe(index)
        const squares = [0, 1, 2, 3].map(
          (d) => ((latents[at * 4 + d] ?? 0) - (codebook[index * 4 + d] ?? 0)) ** 2,
        )
        expect(distance).toBeCloseTo(Math.sqrt(squares.reduce((a, b) => a + b)), 4)
      }
    }
    expect(await readdir(pngs)).toHaveLength(30)
    expect(await sharp(join(pngs, files[0] ?? '')).metadata()).toMatchObject({
      width: 16,
      height: 16,
      format: 'png',
    })
  })

  it('goes on from an earlier checkpoint, and keeps what came later', async () => {
    const back = join(root, 'back')
    await cp(run, back, { recursive: true })
    const names = (await readdir(join(back, 'checkpoints'))).sort()
    const [first = '', ...later] = names
    const step = Number(first.slice(5))
    const records = await readFile(join(back, 'metrics.jsonl'), 'utf8')
    const missing = await gyre(library, 'resume', back, '--checkpoint', '5', '--json')
    expect(missing).toMatchObject({ code: 1, json: { error: { code: 'not-found' } } })
    expect((await readdir(join(back, 'checkpoints'))).sort()).toEqual(names)
    const args = ['--checkpoint', String(step), '--steps', String(step + 1), '--json']
    const found = await gyre(library, 'resume', back, ...args)
    expect(found, found.stderr).toMatchObject({ code: 0, json: { step: step + 1 } })
    const aside = join(back, (await readdir(back)).find((name) => name.startsWith('set-aside')) ?? '')
    expect(found.stderr).toContain(aside)
    expect(found.stderr).toContain(`Going on at step ${step}.`)
    expect((await readdir(join(aside, 'checkpoints'))).sort()).toEqual(later)
    expect(await readFile(join(aside, 'metrics.jsonl'), 'utf8')).toBe(records)
    const file = runFile.parse(JSON.parse(await readFile(join(back, 'run.json'), 'utf8')))
    expect(file).toMatchObject({ status: 'finished', step: step + 1, last: { step: step + 1 } })
  })

  it('says so when a damaged checkpoint is passed over, and when none is left', async () => {
    const hurt = join(root, 'hurt')
    await cp(run, hurt, { recursive: true })
    const steps = (await readdir(join(hurt, 'checkpoints'))).sort()
    const damage = (step: string): Promise<void> =>
      writeFile(join(hurt, 'checkpoints', step, 'state.json'), '{}')
    const last = steps.pop() ?? ''
    await damage(last)
    const words = new RegExp(
      `step ${Number(last.slice(5))} is damaged \\(.+\\); using step ${Number(steps.at(-1)?.slice(5))}\\.`,
    )
    const out = join(root, 'hurt model')
    for (const args of [['export', '--out', out], ['evaluate'], ['inspect']]) {
      const [name = '', ...rest] = args
      const found = await gyre(library, name, hurt, '--checkpoint', 'last', ...rest)
      expect(found, found.stderr).toMatchObject({ code: 0 })
      expect(found.stderr).toMatch(words)
    }
    const best = await gyre(library, 'export', hurt, '--out', out)
    expect(best.stderr).toMatch(/is damaged/)
    for (const step of steps) await damage(step)
    for (const name of ['evaluate', 'inspect']) {
      const found = await gyre(library, name, hurt, '--json')
      expect(found).toMatchObject({ code: 1, json: { error: { code: 'corrupt' } } })
      expect(found.stderr).not.toContain('Starting the engine')
    }
  })

  it('starts from the weights of another run', async () => {
    const args = ['--data', images, '--from', run, '--set', ...tiny, 'steps=4', '--json']
    const found = await gyre(library, 'train', ...args)
    expect(found, found.stderr).toMatchObject({ code: 0, json: { step: 4 } })
    const { run: second } = trainResult.parse(found.json)
    const file = runFile.parse(JSON.parse(await readFile(join(second, 'run.json'), 'utf8')))
    expect(file.startedFrom).toMatchObject({ run })
    const other = await gyre(library, 'train', ...args, '--set', 'codeDim=8')
    expect(other).toMatchObject({ code: 1 })
    expect(other.stderr).toContain('codeDim')
  })

  it('says what to pass when the images of a moved run are not known', async () => {
    const [moved, elsewhere] = [join(root, 'moved'), join(root, 'other library')]
    await cp(run, moved, { recursive: true })
    const lost = await gyre(elsewhere, 'evaluate', moved, '--json')
    expect(lost).toMatchObject({ code: 1, json: { error: { code: 'not-found' } } })
    expect(lost.stderr).toContain('--data')
    const exported = await gyre(elsewhere, 'export', moved, '--out', join(root, 'model 2'))
    expect(exported.code).toBe(0)
    const found = await gyre(elsewhere, 'resume', moved, '--data', images, '--steps', '14', '--json')
    expect(found, found.stderr).toMatchObject({ code: 0, json: { run: moved, step: 14 } })
  })

  it('warns of what the form warns of, before anything starts', async () => {
    const set = ['quantizer=simvq', 'codebookUpdate=gradient', 'commitmentWeight=0']
    const expected = checkConfig(applySettings({}, set)).warnings
    expect(expected.map(({ field }) => field)).toEqual(['estimator', 'commitmentWeight'])
    const found = await gyre(library, 'train', '--data', join(root, 'nowhere'), '--set', ...set, '--json')
    expect(found).toMatchObject({ code: 1, json: { error: { code: 'not-found' } } })
    const lines = found.stderr.split('\n').filter((line) => line.startsWith('Warning'))
    expect(lines).toEqual(expected.map(({ field, message }) => `Warning (${field}): ${message}`))
    const plain = await gyre(library, 'train', '--data', join(root, 'nowhere'), '--json')
    expect(plain.stderr).not.toContain('Warning')
  })

  it('never changes the images, nor puts anything beside them', async () => {
    const names = await readdir(images)
    expect(names).toHaveLength(30)
    const written = (): Promise<number[]> =>
      Promise.all(names.map(async (name) => (await stat(join(images, name))).mtimeMs))
    const before = await written()
    await gyre(library, 'evaluate', run, '--data', images)
    const tokens = join(root, 'codes', 't.safetensors')
    await symlink(images, join(root, 'link'))
    for (const args of [
      ['train', '--data', images, '--out', join(images, 'run'), '--set', ...tiny, 'steps=1'],
      ['encode', run, '--data', images, '--out', join(images, 't.safetensors')],
      ['decode', run, '--tokens', tokens, '--out', images],
      ['decode', run, '--tokens', tokens, '--out', join(root, 'link', 'decoded')],
      ['export', run, '--out', join(images, 'model')],
    ]) {
      const refused = await gyre(library, ...args, '--json')
      expect(refused, args.join(' ')).toMatchObject({ code: 1, json: { error: { code: 'invalid-input' } } })
      expect(refused.stderr).toContain('a folder of images that Gyre only reads')
    }
    expect(await readdir(images)).toEqual(names)
    expect(await written()).toEqual(before)
  })

  it('replaces no file that it did not make', async () => {
    const mine = join(root, 'mine')
    await copyEmoji(mine, 1)
    const picture = join(mine, (await readdir(mine))[0] ?? '')
    const bytes = await readFile(picture)
    const tokens = join(root, 'codes', 't.safetensors')
    const encoded = await gyre(library, 'encode', run, '--data', images, '--out', picture, '--json')
    expect(encoded).toMatchObject({ code: 1, json: { error: { code: 'invalid-input' } } })
    const decoded = await gyre(library, 'decode', run, '--tokens', tokens, '--out', mine, '--json')
    expect(decoded).toMatchObject({ code: 1, json: { error: { code: 'invalid-input' } } })
    expect(await readdir(mine)).toHaveLength(1)
    expect(await readFile(picture)).toEqual(bytes)
    const again = await gyre(library, 'encode', run, '--data', images, '--out', tokens)
    expect(again, again.stderr).toMatchObject({ code: 0 })
  })

  it('lists engines as one JSON value', async () => {
    const found = await gyre(library, 'engine', 'list', '--json')
    const engines = engineListResult.parse(found.json)
    expect(engines.map(({ id }) => id)).toEqual(['tensorflow-cuda', 'webgpu', 'tensorflow-cpu', 'wasm'])
    const tested = await gyre(library, 'engine', 'test', 'wasm', '--json')
    expect(tested, tested.stderr).toMatchObject({ code: 0, json: { id: 'wasm', pass: true } })
  })
})
