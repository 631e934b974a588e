// Builds dist/ when a source is newer than the last build. Used by start, gyre and test.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')
const stamp = join(root, 'dist', '.built-from')
const lock = join(root, 'node_modules', '.gyre-build.lock')
const sources = ['src-main', 'src-renderer', 'src-shared', 'electron.vite.config.ts', 'package-lock.json']

/** Runs a command and resolves with its exit code and everything it printed. */
export function run(command, args, options = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options })
    let output = ''
    child.stdout?.on('data', (data) => (output += data))
    child.stderr?.on('data', (data) => (output += data))
    child.on('error', (error) => done({ code: 1, output: error.message }))
    child.on('close', (code) => done({ code: code ?? 1, output }))
  })
}

/** A tool of node_modules/.bin, run by this Node, so that no shell and no PATH is involved. */
export function tool(name, args, options) {
  const shim = join(root, 'node_modules', '.bin', name)
  return process.platform === 'win32'
    ? run(`${shim}.cmd`, args, { shell: true, ...options })
    : run(process.execPath, [shim, ...args], options)
}

function fingerprint() {
  const hash = createHash('sha256')
  const visit = (path) => {
    const found = statSync(path, { throwIfNoEntry: false })
    if (!found) return
    if (!found.isDirectory()) return void hash.update(`${path}\0`).update(readFileSync(path))
    for (const name of readdirSync(path).sort()) visit(join(path, name))
  }
  for (const source of sources) visit(join(root, source))
  return hash.digest('hex')
}

const isBuilt = (from) => existsSync(stamp) && readFileSync(stamp, 'utf8') === from

/** Takes the build lock; a lock whose owner is gone is taken over. */
async function withLock(act) {
  for (;;) {
    try {
      mkdirSync(join(root, 'node_modules'), { recursive: true })
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      const owner = Number(existsSync(lock) ? readFileSync(lock, 'utf8') : 0)
      try {
        process.kill(owner, 0)
        await new Promise((wait) => setTimeout(wait, 200))
      } catch {
        rmSync(lock, { force: true })
      }
    }
  }
  try {
    return await act()
  } finally {
    rmSync(lock, { force: true })
  }
}

/** Builds if needed; says so on stderr. Exits with 1 and the builder's words if it fails. */
export async function ensureBuilt() {
  const from = fingerprint()
  if (isBuilt(from)) return
  await withLock(async () => {
    if (isBuilt(from)) return
    process.stderr.write('Building Gyre…\n')
    const { code, output } = await tool('electron-vite', ['build', '--logLevel', 'warn'])
    if (code !== 0) {
      process.stderr.write(`${output}\nThe build failed.\n`)
      process.exit(1)
    }
    writeFileSync(stamp, from)
  })
}
