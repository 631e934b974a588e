// How the built command line ends: wrong usage, failures, Ctrl+C, a kill; and what it leaves behind.
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runFile, type RunFile } from '#shared/contract/files'
import { environment, repository } from '../../support/gyre-process'
import { copyEmoji } from '../../support/sample'
import { ensureBuilt, gyre, startGyre, tiny } from './run-gyre'

let root: string
let library: string
let images: string

beforeAll(async () => {
  await ensureBuilt()
  root = await mkdtemp(join(tmpdir(), 'gyre-cli-'))
  ;[library, images] = [join(root, 'library'), join(root, 'images')]
  await copyEmoji(images, 20)
})
afterAll(() => rm(root, { recursive: true, force: true }))

const readRun = async (folder: string): Promise<RunFile> =>
  runFile.parse(JSON.parse(await readFile(join(folder, 'run.json'), 'utf8')))

describe('wrong usage', () => {
  const train = ['train', '--data', 'sample', '--set']
  it.each([
    [['train'], /--data/],
    [['trian', '--data', 'x'], /trian/],
    [['train', '--data', 'sample', '--steps', '0'], /from 1 to/],
    [[...train, 'stepps=5'], /stepps[\s\S]*steps/],
    [[...train, 'steps=0'], /steps[\s\S]*from 1 to/],
    [[...train, 'estimator=magic'], /rotation, ste/],
    [[...train, 'steps'], /key=value/],
    [['train', '--data', 'sample', '--engine', 'abacus'], /tensorflow-cpu/],
    [['train', '--data', 'sample', '--preset', 'fancy'], /quick-look/],
    [['train', '--data', 'sample', '--config', '/no/such/file'], /no\/such\/file/],
    [['evaluate', 'x', '--checkpoint', 'newest'], /last, best or a step/],
    [['inspect', 'x', '--nearest', 'n=999'], /0 to 64/],
    [['export', 'x', '--to', 'onnx', '--out', 'y'], /safetensors/],
    [['engine', 'install', 'abacus'], /abacus/],
    [['serve', '--port', '70000'], /65535/],
  ])('%j ends with 2 and says why', async (args, words) => {
    const found = await gyre(library, ...args, '--json')
    expect(found.code).toBe(2)
    expect(found.stderr).toMatch(words)
    expect(found.json).toMatchObject({ error: { code: 'invalid-input' } })
  })

  it('takes help and version for what they are', async () => {
    expect(await gyre(library, '--help')).toMatchObject({ code: 0, stderr: '' })
    const version = await gyre(library, '--version')
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(await gyre(library)).toMatchObject({ code: 2, stdout: '' })
    for (const group of ['engine', 'bench']) {
      const alone = await gyre(library, group)
      expect(alone).toMatchObject({ code: 2, stdout: '' })
      expect(alone.stderr).toMatch(/Usage: gyre (engine|bench)[^]*Commands:/)
    }
  })
})

describe('failures', () => {
  it('ends with 1 and one JSON object', async () => {
    const broken = join(root, 'broken')
    await copyEmoji(broken, 0)
    await writeFile(join(broken, 'a.png'), 'not a picture')
    for (const args of [
      ['evaluate', join(root, 'nowhere')],
      ['train', '--data', join(root, 'nowhere')],
      ['train', '--data', broken],
      ['engine', 'install', 'tensorflow-cpu', '--cuda'],
    ]) {
      const found = await gyre(library, ...args, '--json')
      expect(found.code, args.join(' ')).toBe(1)
      expect(found.stdout.trim().split('\n')).toHaveLength(1)
      expect(found.json).toHaveProperty('error.message')
    }
  })

  it('names the files that are not used, the first ten of them, and where the list is', async () => {
    const mixed = join(root, 'mixed')
    await copyEmoji(mixed, 1)
    const names = Array.from({ length: 11 }, (_, i) => `bad ${String(i).padStart(2, '0')}.png`)
    for (const name of [...names, 'bad\u001b[2J.png']) await writeFile(join(mixed, name), 'not a picture')
    const found = await gyre(
      join(root, 'library of mixed'),
      'train',
      '--data',
      mixed,
      '--set',
      ...tiny,
      'steps=1',
      '--json',
    )
    expect(found.stderr).toContain('12 files of “mixed” are not used')
    for (const name of names.slice(0, 9)) expect(found.stderr).toMatch(new RegExp(`${name}: .+`))
    expect(found.stderr).not.toContain(names[9])
    expect(found.stderr).toContain('and 2 more')
    expect(found.stderr).not.toContain('\u001b')
    const list = /The whole list: (.+)/.exec(found.stderr)?.[1] ?? ''
    expect((await readFile(list, 'utf8')).trim().split('\n')).toHaveLength(12)
  })

  it('refuses to write a run over something else', async () => {
    const found = await gyre(library, 'train', '--data', images, '--out', images, '--json')
    expect(found.code).toBe(1)
    expect((await readdir(images)).sort()).toHaveLength(20)
    expect(found.stderr).not.toContain('Importing')
  })
})

describe('interruptions', () => {
  const long = ['train', '--data', '', '--set', ...tiny, 'steps=1000000', '--json', '--out']

  it('keeps the run after Ctrl+C, ends with 130, and goes on from there', async () => {
    const run = join(root, 'interrupted')
    const args = long.map((arg) => (arg === '' ? images : arg))
    const running = startGyre(library, [...args, run])
    await running.said(/Step 4:/)
    running.child.kill('SIGINT')
    const found = await running.ended
    expect(found, found.stderr).toMatchObject({ code: 130, json: { run } })
    const { status, step } = await readRun(run)
    expect(status).toBe('stopped')
    expect(step).toBeGreaterThanOrEqual(4)
    expect(await readdir(join(run, 'checkpoints'))).toContain(`step-${String(step).padStart(7, '0')}`)
    const resumed = await gyre(library, 'resume', run, '--steps', String(step + 3), '--json')
    expect(resumed, resumed.stderr).toMatchObject({ code: 0, json: { run, step: step + 3 } })
  })

  it('takes a run over from a process that was killed', async () => {
    const args = ['train', '--data', images, '--set', ...tiny, 'steps=1000000', '--json']
    const running = startGyre(library, args)
    await running.said(/Step 8:/)
    running.child.kill('SIGKILL')
    await running.ended
    const [id = ''] = await readdir(join(library, 'runs'))
    const folder = join(library, 'runs', id)
    expect((await readRun(folder)).status).toBe('running')
    await gyre(library, 'engine', 'list')
    const { status, step } = await readRun(folder)
    expect(status).toBe('interrupted')
    expect(step).toBeGreaterThanOrEqual(4)
    const resumed = await gyre(library, 'resume', id, '--steps', String(step + 2), '--json')
    expect(resumed, resumed.stderr).toMatchObject({ code: 0, json: { run: folder, step: step + 2 } })
  })

  it('lets only one process work on a run', async () => {
    const run = join(root, 'contended')
    const args = long.map((arg) => (arg === '' ? images : arg))
    const running = startGyre(library, [...args, run])
    await running.said(/Step 4:/)
    const second = await gyre(library, 'resume', run, '--json')
    expect(second).toMatchObject({ code: 1, json: { error: { code: 'busy' } } })
    const looked = await gyre(library, 'evaluate', run, '--json')
    expect(looked, looked.stderr).toMatchObject({ code: 0 })
    running.child.kill('SIGTERM')
    expect((await running.ended).code).toBe(130)
  })

  it('takes a free port when the usual one is in use, but never instead of one that was asked for', async () => {
    const taken = createServer()
    // Where something else holds the usual port already, that does as well.
    await new Promise<void>((resolve) => {
      taken.once('error', () => resolve())
      taken.listen(7860, '127.0.0.1', resolve)
    })
    try {
      const asked = await gyre(library, 'serve', '--port', '7860', '--json')
      expect(asked).toMatchObject({ code: 1, json: { error: { code: 'busy' } } })
      const running = startGyre(library, ['serve', '--json'])
      await new Promise<void>((resolve) => running.child.stdout?.once('data', () => resolve()))
      running.child.kill('SIGINT')
      const found = await running.ended
      expect(found.code, found.stderr).toBe(0)
      expect(found.stderr).toContain('7860 is in use')
      expect((found.json as { url: string }).url).not.toContain(':7860/')
    } finally {
      taken.close()
    }
  })

  it('serves until Ctrl+C, and prints the address once', async () => {
    const running = startGyre(library, ['serve', '--port', '0', '--json'])
    let address = ''
    running.child.stdout?.on('data', (data: Buffer) => (address += data.toString()))
    await new Promise<void>((resolve) => running.child.stdout?.once('data', () => resolve()))
    running.child.kill('SIGINT')
    const found = await running.ended
    expect(found.code, found.stderr).toBe(0)
    expect(found.stderr).toBe('Stopping.\n')
    expect(found.json).toMatchObject({ address: expect.stringMatching(/#token=[\w-]{43,}$/) as string })
    expect(found.stderr).not.toContain('token')
  })

  it('ends `npm start` with 0 after Ctrl+C, which reaches it and what it has started', async () => {
    const script = join(repository, 'resources', 'scripts', 'start.mjs')
    const child = spawn(process.execPath, [script, '--no-engine', '--serve', '--port', '0'], {
      env: environment(library),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    let said = ''
    child.stderr.on('data', (data: Buffer) => (said += data.toString()))
    await new Promise<void>((resolve) =>
      child.stdout.on('data', (data: Buffer) => {
        if (data.toString().includes('Ctrl+C to stop')) resolve()
      }),
    )
    const ended = new Promise((resolve) => child.on('close', resolve))
    process.kill(-(child.pid ?? 0), 'SIGINT')
    expect(await ended, said).toBe(0)
    expect(said).toContain('Stopping.\n')
  })
})
