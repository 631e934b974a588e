// `npm start`: builds, sets up the TensorFlow engine once, then opens the Electron window, or serves the same
// window to a browser where there is no Electron binary or no display.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { ensureBuilt, root, run } from './build.mjs'

const args = process.argv.slice(2)
const say = (sentence) => process.stdout.write(`${sentence}\n`)
const cli = join(root, 'dist', 'main', 'cli.js')

const usage = `npm start -- [--no-engine] [--serve] [--port N] [--open]
  --no-engine  do not set up the TensorFlow engine; train on WASM
  --serve      serve the window to a browser even if Electron could open it
  --port N     port to serve on (default: 7860, or a free one if that is in use)
  --open       open the browser on the served window`

/** Runs a command with this terminal; resolves with its exit code. */
function attached(command, commandArgs) {
  return new Promise((done) => {
    const child = spawn(command, commandArgs, { cwd: root, stdio: 'inherit' })
    // The child hears Ctrl+C too and ends in its own time; this process only waits for it.
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
    child.on('error', () => done(1))
    child.on('close', (code) => done(code ?? 1))
  })
}

function readArgs() {
  const known = { engine: true, serve: false, pass: [] }
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--no-engine') known.engine = false
    else if (args[i] === '--serve') known.serve = true
    else if (args[i] === '--open') known.pass.push('--open')
    else if (args[i] === '--port' && args[i + 1] !== undefined) known.pass.push('--port', args[++i])
    else {
      say(args[i] === '--help' ? usage : `Unknown option ${args[i]}.\n${usage}`)
      process.exit(args[i] === '--help' ? 0 : 2)
    }
  }
  return known
}

async function setUpEngine() {
  const code = await attached(process.execPath, [cli, 'engine', 'install', 'tensorflow-cpu'])
  if (code === 130) process.exit(130)
  if (code !== 0) say('TensorFlow could not be set up here; Gyre trains on WASM, which is slower.')
}

function electronBinary() {
  let folder
  try {
    folder = dirname(createRequire(join(root, 'package.json')).resolve('electron/package.json'))
  } catch {
    return null
  }
  const pathFile = join(folder, 'path.txt')
  if (!existsSync(pathFile)) return null
  const binary = join(folder, 'dist', readFileSync(pathFile, 'utf8'))
  return existsSync(binary) ? binary : null
}

const hasDisplay = () =>
  process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY)

/** The binary, fetched if it is not there yet; null when it can't be had. */
async function findElectron() {
  const present = electronBinary()
  if (present) return present
  const installer = join(root, 'node_modules', 'electron', 'install.js')
  if (!existsSync(installer)) return null
  say('Fetching the Electron binary (once)…')
  const started = Date.now()
  const tick = setInterval(
    () => say(`  still fetching, ${Math.round((Date.now() - started) / 1000)} s`),
    10_000,
  )
  await run(process.execPath, [installer], { timeout: 300_000 })
  clearInterval(tick)
  return electronBinary()
}

const options = readArgs()
await ensureBuilt()
if (options.engine) await setUpEngine()

let why = 'because you asked for it'
let binary = null
if (!options.serve) {
  if (!hasDisplay()) why = 'because this machine has no display'
  else {
    binary = await findElectron()
    if (!binary) why = 'because the Electron binary could not be fetched'
  }
}
if (binary) process.exit(await attached(binary, [root]))
say(`Serving the window to a browser, ${why}; open the address below, and stop with Ctrl+C.`)
process.exit(await attached(process.execPath, [cli, 'serve', ...options.pass]))
