// The shell as it is shipped: the built entry runs over a stand-in for Electron in a process of its own, with
// the real service; the preload script runs with nothing but what a sandbox would give it.
import { execFile } from 'node:child_process'
import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../../..')
const dist = join(root, 'dist')

interface Report {
  window: { webPreferences: Record<string, unknown> }
  url: string
  sandboxed: boolean
  lock: boolean
  schemes: unknown
  denied: Record<string, unknown>
  pages: Record<string, { status: number; headers: Record<string, string> }>
  answers: { type: string; value: unknown }[]
}

let library: string
let report: Report

beforeAll(async () => {
  await access(join(dist, 'main', 'shell.js')).catch(() => {
    throw new Error('dist/main/shell.js is missing: run `npm run build` first.')
  })
  library = await mkdtemp(join(tmpdir(), 'gyre-shell-'))
  const hook = join(import.meta.dirname, 'electron-hook.mjs')
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', hook, join(dist, 'main', 'shell.js')],
    { env: { ...process.env, GYRE_HOME: library }, timeout: 60_000 },
  )
  report = JSON.parse(stdout) as Report
})

afterAll(async () => {
  await rm(library, { recursive: true, force: true })
})

describe('the built shell', () => {
  it('is what package.json names', async () => {
    const { main } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { main: string }
    expect(main).toBe('dist/main/shell.js')
  })

  it('isolates its window', async () => {
    const { preload, ...preferences } = report.window.webPreferences
    expect(preferences).toEqual({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
      backgroundThrottling: false,
    })
    await access(String(preload))
    expect(report).toMatchObject({ url: 'app://gyre/index.html', sandboxed: true, lock: true })
    expect(report.schemes).toEqual([{ scheme: 'app', privileges: { standard: true, secure: true } }])
  })

  it('denies everything that was tried', () => {
    expect(report.denied).toEqual({
      open: 'deny',
      'will-navigate': true,
      'will-redirect': true,
      'will-frame-navigate': true,
      'will-attach-webview': true,
      'will-download': true,
      request: true,
      check: true,
      device: true,
      port: true,
    })
  })

  it('serves its window, guarded, and no other file', () => {
    const page = report.pages['app://gyre/index.html']
    expect(page?.status).toBe(200)
    expect(page?.headers).toMatchObject({
      'content-security-policy': expect.stringContaining("script-src 'self';") as string,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
    expect(report.pages['app://gyre/../main/shell.js']?.status).toBe(404)
    expect(report.pages['app://evil/index.html']?.status).toBe(403)
  })

  it('answers its page from the real service', () => {
    expect(report.answers).toMatchObject([
      {
        type: 'result',
        value: { kind: 'desktop', libraryPath: library, version: '0.0.0-test', canPickFolder: true },
      },
      { type: 'result', value: [] },
    ])
  })

  it('has its trainer and its decoder beside it', async () => {
    for (const file of ['trainer.js', 'decoder.js']) await access(join(dist, 'main', file))
  })
})

describe('the built preload script', () => {
  it('is one CommonJS file that asks for Electron only', async () => {
    expect(await readdir(join(dist, 'preload'))).toEqual(['preload.cjs'])
    const asked: string[] = []
    const exposed: Record<string, string[]> = {}
    const electron = {
      contextBridge: {
        exposeInMainWorld: (name: string, members: object) => (exposed[name] = Object.keys(members)),
      },
      ipcRenderer: { on: () => undefined, send: () => undefined },
      webUtils: {},
    }
    const require = (name: string): unknown => {
      asked.push(name)
      return electron
    }
    const code = await readFile(join(dist, 'preload', 'preload.cjs'), 'utf8')
    runInContext(code, createContext({ require, exports: {}, module: { exports: {} } }))
    expect(asked).toEqual(['electron'])
    expect(exposed).toEqual({ gyreDesktop: ['connect', 'getPathForFile'] })
  })
})

describe('the built window', () => {
  it('needs no more than its policy allows', async () => {
    const html = await readFile(join(dist, 'renderer', 'index.html'), 'utf8')
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/)
    expect(html).not.toMatch(/\son[a-z]+=/i)
    const sources = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '')
    expect(sources.filter((source) => /^[a-z]+:/i.test(source) && source !== 'data:,')).toEqual([])
  })
})
