// 200 races between real processes for one run's lock, and owners that are killed.
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { repository } from '../../support/gyre-process'

let root: string
let racer: string

// The lock's source needs nothing but Node, so it runs alone: no bundle, quick to start.
const program = `
import { createInterface } from 'node:readline'
import { tryLock } from './locks.mjs'
const kept = []
for await (const folder of createInterface({ input: process.stdin })) {
  const lock = await tryLock(folder)
  if (lock) kept.push(lock)
  console.log(lock ? 'won' : 'lost')
}`

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gyre-race-'))
  const source = await readFile(join(repository, 'src-main/service/locks.ts'), 'utf8')
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
  await writeFile(
    join(root, 'locks.mjs'),
    ts.transpileModule(source, { compilerOptions: options }).outputText,
  )
  racer = join(root, 'racer.mjs')
  await writeFile(racer, program)
})
afterAll(() => rm(root, { recursive: true, force: true }))

function startRacer() {
  const child = spawn(process.execPath, [racer], { stdio: ['pipe', 'pipe', 'inherit'] })
  let text = ''
  const waiting: ((line: string) => void)[] = []
  child.stdout.on('data', (data: Buffer) => {
    text += data.toString()
    for (let end = text.indexOf('\n'); end >= 0 && waiting.length > 0; end = text.indexOf('\n')) {
      waiting.shift()?.(text.slice(0, end))
      text = text.slice(end + 1)
    }
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  return {
    ask: (folder: string): Promise<string> =>
      new Promise((resolve) => {
        waiting.push(resolve)
        child.stdin.write(`${folder}\n`)
      }),
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

it('gives the lock to exactly one of four processes, 200 times, also after its owner was killed', async () => {
  const racers = Array.from({ length: 4 }, startRacer)
  const winners: number[] = []
  for (let race = 0; race < 200; race++) {
    const folder = join(root, `run-${race}`)
    await mkdir(folder)
    const results = await Promise.all(racers.map((one) => one.ask(folder)))
    expect(results.filter((result) => result === 'won')).toHaveLength(1)
    winners.push(results.indexOf('won'))
  }
  // Killing the owner of the last one frees it for exactly one of the others.
  const owner = winners.at(-1) ?? 0
  await racers[owner]?.kill()
  const rest = racers.filter((_, i) => i !== owner)
  const results = await Promise.all(rest.map((one) => one.ask(join(root, 'run-199'))))
  expect(results.filter((result) => result === 'won')).toHaveLength(1)
  await Promise.all(rest.map((one) => one.kill()))
})
