// Whether there is an NVIDIA graphics card here that CUDA can use: its driver's library, its version and the cards'
// names, from files that the driver keeps, or from its own `nvidia-smi` where it keeps none. Loads no driver.
import { execFile } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface NvidiaDriver {
  /** As `550.54.15`. */
  version: string
  /** Names of the cards, as the driver says them. */
  cards: string[]
}

export interface DriverSearch {
  /** For tests: where the file system begins. */
  root?: string
  /** For tests: what `nvidia-smi` answers; rejects where there is none. */
  askTool?: () => Promise<string>
  env?: Readonly<Record<string, string | undefined>>
}

/** The oldest driver that runs programs made for any CUDA 12. */
const oldestVersion = '525.60.13'

/** Where distributions, containers and Windows' Linux put the driver's library. */
const libraryFolders = [
  'usr/lib/x86_64-linux-gnu',
  'usr/lib64',
  'usr/lib',
  'usr/lib/wsl/lib',
  'usr/local/nvidia/lib64',
  'usr/local/cuda/compat',
  'run/opengl-driver/lib',
]

async function askNvidiaSmi(): Promise<string> {
  const args = ['--query-gpu=driver_version,name', '--format=csv,noheader']
  const { stdout } = await run('nvidia-smi', args, { timeout: 10_000 })
  return stdout
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

async function hasLibrary(root: string, env: NonNullable<DriverSearch['env']>): Promise<boolean> {
  const own = (env.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean)
  const folders = [...own, ...libraryFolders.map((path) => join(root, path))]
  const found = await Promise.all(folders.map((folder) => exists(join(folder, 'libcuda.so.1'))))
  return found.includes(true)
}

/** An NVIDIA display controller on the PCI bus, with a driver or without one. */
async function hasCard(root: string): Promise<boolean> {
  const bus = join(root, 'sys/bus/pci/devices')
  const devices = await readdir(bus).catch(() => [])
  const read = (device: string, name: string): Promise<string> =>
    readFile(join(bus, device, name), 'utf8').catch(() => '')
  for (const device of devices) {
    const [vendor, kind] = await Promise.all([read(device, 'vendor'), read(device, 'class')])
    if (vendor.trim() === '0x10de' && kind.startsWith('0x03')) return true
  }
  return false
}

/** Version and cards from the driver's files; null where it keeps none (Windows' Linux, some containers). */
async function readFiles(root: string): Promise<NvidiaDriver | null> {
  const folder = join(root, 'proc/driver/nvidia')
  const text = await readFile(join(folder, 'version'), 'utf8').catch(() => '')
  const version = /\s(\d{3,}\.\d+(?:\.\d+)?)\s/.exec(text)?.[1]
  const cards: string[] = []
  for (const name of await readdir(join(folder, 'gpus')).catch(() => [])) {
    const card = await readFile(join(folder, 'gpus', name, 'information'), 'utf8').catch(() => '')
    const model = /^Model:\s*(.+?)\s*$/m.exec(card)?.[1]
    if (model !== undefined) cards.push(model)
  }
  return version === undefined || cards.length === 0 ? null : { version, cards }
}

async function readTool(askTool: () => Promise<string>): Promise<NvidiaDriver | null> {
  const lines = (await askTool().catch(() => '')).trim().split('\n')
  const cards = lines.map((line) => /^(\d[\d.]*),\s*(.+?)\s*$/.exec(line)).filter((match) => match !== null)
  const version = cards[0]?.[1]
  return version === undefined ? null : { version, cards: cards.map((match) => match[2] ?? '') }
}

/** Whether version `a` is older than `b`, part by part. */
function isOlder(a: string, b: string): boolean {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number))
  for (const [i, part] of (right ?? []).entries()) {
    const other = left?.[i] ?? 0
    if (other !== part) return other < part
  }
  return false
}

/** The driver and its cards, or the sentence that says what is missing. */
export async function findNvidiaDriver(search: DriverSearch = {}): Promise<NvidiaDriver | string> {
  const { root = '/', askTool = askNvidiaSmi, env = process.env } = search
  if (!(await hasLibrary(root, env)))
    return (await hasCard(root))
      ? 'There is an NVIDIA graphics card, but not its driver (libcuda.so.1): install it from your Linux distribution.'
      : 'There is no NVIDIA graphics card here.'
  const driver = (await readFiles(root)) ?? (await readTool(askTool))
  if (driver === null) return 'NVIDIA’s driver is installed, but it shows no graphics card.'
  if (isOlder(driver.version, oldestVersion))
    return `NVIDIA’s driver is version ${driver.version}; CUDA 12 needs ${oldestVersion} or newer.`
  return driver
}
