// The native parts: where their C++ lies, which version of it this is, and how a compiler call builds it. The binding of
// tfjs-node runs single operations; our own module beside it runs whole graphs, and has operations of our own. Both use
// Node-API 8 only, so one build serves every Node and Electron.
import { createHash } from 'node:crypto'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { GyreError } from '#shared/contract/errors'
import { wheelsOf, type Variant } from './variants'

const run = promisify(execFile)
// Not called `require`: the bundler adds a shim of that name.
const nodeRequire = createRequire(import.meta.url)

export const bindingFileName = 'tfjs_binding.node'
export const quietFileName = 'gyre_quiet.node'
export const graphFileName = 'gyre_graph.node'
export const bindingFiles = [bindingFileName, quietFileName, graphFileName] as const

// TensorFlow writes to stderr while it is being loaded: once from the initialisers of its framework library, where no
// setting reaches, and then as its environment says, which a worker thread cannot change from JavaScript. So a tiny
// module is loaded first, which loads that library with stderr put aside (some 20 ms) and sets the environment.
// Where the person has set a log level, nothing is hidden. On NVIDIA's cards, float32 stays float32 (their libraries
// would round the factors of convolutions and matrix products to 10 bits), and memory is taken as it is needed.
const quietSource = `#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <node_api.h>
#include <unistd.h>
NAPI_MODULE_INIT() {
  setenv("NVIDIA_TF32_OVERRIDE", "0", 0);
  setenv("TF_FORCE_GPU_ALLOW_GROWTH", "true", 0);
  if (std::getenv("TF_CPP_MIN_LOG_LEVEL") != nullptr) return exports;
  setenv("TF_CPP_MIN_LOG_LEVEL", "3", 0);
  const int saved = dup(STDERR_FILENO);
  const int nowhere = open("/dev/null", O_WRONLY);
  if (saved >= 0 && nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0) {
    dlopen(GYRE_FRAMEWORK, RTLD_NOW | RTLD_LOCAL);
    dup2(saved, STDERR_FILENO);
  }
  if (saved >= 0) close(saved);
  if (nowhere >= 0) close(nowhere);
  return exports;
}
`

const commonFlags = ['-shared', '-fPIC', '-pthread', '-O2', '-std=c++17', '-DNAPI_VERSION=8']

const packageFolder = (name: string): string => dirname(nodeRequire.resolve(`${name}/package.json`))
const sourceFolder = (): string => join(packageFolder('@tensorflow/tfjs-node-gpu'), 'binding')

const ownFiles = [
  ...['gyre_graph.cpp', 'gyre_rotate_back.cpp', 'gyre_group_norm.cpp'],
  ...['gyre_winograd.cpp', 'gyre_winograd.hpp', 'gyre_filter_gradient.cpp', 'gyre_bfloat16.cpp'],
  ...['gyre_kernel.cpp', 'gyre_kernel.hpp', 'gyre_wide.hpp'],
]

/** The sources of our own module (`.cpp`: packagers leave `.cc` out): in `resources`, some folders above the sources or the built entry. */
function ownSources(): string[] {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const paths = ownFiles.map((name) => join(folder, 'resources', 'native', name))
    if (paths.every((path) => existsSync(path))) return paths
    if (folder === dirname(folder))
      throw new GyreError('engine-unavailable', `Source files of Gyre are missing: ${ownFiles.join(', ')}.`)
  }
}

/**
 * Twelve hex digits that change when the binding's source, its flags or the wheel change. `prebuilt` is a folder that
 * holds the compiled files.
 */
export async function bindingHash(variant: Variant, prebuilt?: string): Promise<string> {
  const hash = createHash('sha256')
  for (const { sha256 } of wheelsOf(variant)) hash.update(sha256)
  if (prebuilt !== undefined) {
    for (const name of bindingFiles) hash.update(await readFile(join(prebuilt, name)))
  } else {
    const folder = sourceFolder()
    for (const name of (await readdir(folder)).sort())
      hash.update(name).update(await readFile(join(folder, name)))
    for (const path of ownSources()) hash.update(await readFile(path))
    hash.update(quietSource).update(commonFlags.join(' '))
  }
  return hash.digest('hex').slice(0, 12)
}

/** The C++ compiler of this machine. Throws `engine-unavailable` with what to install where there is none. */
export async function findCompiler(env = process.env): Promise<string> {
  for (const command of [env.CXX, 'g++', 'c++', 'clang++']) {
    if (!command) continue
    try {
      await run(command, ['--version'])
      return command
    } catch {
      // Not this one; the next may be there.
    }
  }
  throw new GyreError(
    'engine-unavailable',
    'The TensorFlow engine needs a C++ compiler once, and none was found.',
    process.platform === 'darwin'
      ? 'Install one with `xcode-select --install`, then try again.'
      : 'Install g++ (Debian, Ubuntu: `apt install g++`; Fedora: `dnf install gcc-c++`), then try again.',
  )
}

/** Compiles the native parts against `includeFolder` into `folder`, linked to the libraries that lie there. */
export async function compileBinding(
  variant: Variant,
  folder: string,
  includeFolder: string,
  compiler: string,
  signal?: AbortSignal,
): Promise<void> {
  const sources = sourceFolder()
  const quiet = join(includeFolder, 'gyre_quiet.cc')
  await writeFile(quiet, quietSource)
  const names = (await readdir(sources)).filter((name) => name.endsWith('.cc'))
  const libraries = variant.wheel.holds.map((path) => join(folder, basename(path)))
  const framework = basename(variant.wheel.holds.find((path) => path.includes('_framework')) ?? '')
  const mac = variant.platform === 'darwin'
  const command = (inputs: string[], output: string): string[] => [
    ...commonFlags,
    `-I${includeFolder}`,
    `-I${join(packageFolder('node-api-headers'), 'include')}`,
    `-I${dirname(sources)}`,
    ...inputs,
    ...(mac ? ['-undefined', 'dynamic_lookup', '-Wl,-rpath,@loader_path'] : ['-Wl,-rpath,$ORIGIN']),
    '-o',
    join(folder, output),
  ]
  const calls = [
    command([...names.map((name) => join(sources, name)), ...libraries], bindingFileName),
    command([...ownSources().filter((path) => path.endsWith('.cpp')), ...libraries], graphFileName),
    command([quiet, `-DGYRE_FRAMEWORK="${mac ? '@rpath/' : ''}${framework}"`, '-ldl'], quietFileName),
  ]
  try {
    for (const args of calls) await run(compiler, args, { signal, maxBuffer: 16 * 1024 * 1024 })
  } catch (error) {
    if (signal?.aborted) throw error
    const detail = (error as { stderr?: string }).stderr ?? String(error)
    const firstError = detail.split('\n').find((line) => /error/i.test(line)) ?? detail.slice(0, 300)
    throw new GyreError(
      'engine-unavailable',
      `${compiler} could not compile the TensorFlow binding: ${firstError}`,
      'A C++17 compiler is needed (g++ 8 or clang 7 and newer). Set CXX to choose another one.',
      { cause: error },
    )
  }
}
