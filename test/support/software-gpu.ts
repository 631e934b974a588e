// A graphics card in software, out of an npm package: Chromium's SwiftShader with its Vulkan loader. WebGPU finds it in
// this process and in its children, so that the engine is tested where there is no graphics card.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'

/** Why there is none here, or null: the package holds binaries for Linux on x86-64. */
export const noSoftwareGpu =
  process.platform === 'linux' && process.arch === 'x64'
    ? null
    : `SwiftShader is at hand for linux on x64 only, not for ${process.platform} on ${process.arch}.`

/** Unpacks the drivers once for each version of the package; two at once do not disturb each other. */
function unpacked(): string {
  const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium')
  const archive = readFileSync(join(dirname(entry), '..', '..', 'bin', 'swiftshader.tar.br'))
  const folder = join(tmpdir(), `gyre-swiftshader-${archive.length}`)
  if (existsSync(folder)) return folder
  mkdirSync(dirname(folder), { recursive: true })
  const fresh = mkdtempSync(`${folder}-`)
  execFileSync('tar', ['-xf', '-', '-C', fresh], { input: brotliDecompressSync(archive) })
  try {
    renameSync(fresh, folder)
  } catch {
    rmSync(fresh, { recursive: true, force: true })
  }
  return folder
}

/** `RTLD_NODELETE`, which Node has no name for. */
const keepLoaded = 0x1000

/** Makes SwiftShader the graphics driver, without asking Gyre to use it. Call it in a main thread, before WebGPU starts. */
export function installSoftwareGpu(): void {
  const folder = unpacked()
  process.env.VK_ICD_FILENAMES = join(folder, 'vk_swiftshader_icd.json')
  // For children. This process has read the variable already, so the loader is loaded by its path: Dawn finds it by name.
  process.env.LD_LIBRARY_PATH = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':')
  try {
    process.dlopen({ exports: {} }, join(folder, 'libvulkan.so.1'), constants.dlopen.RTLD_NOW | keepLoaded)
  } catch (error) {
    // It is no addon, which Node says after it was loaded.
    if (!(error as Error).message.includes('self-register')) throw error
  }
}
