// tfjs's threaded WebAssembly build in Node: convolutions, matrix products and element-wise operations on several cores,
// with the numbers of the single-threaded build. tfjs itself offers it in browsers only, because it starts its threads from
// blob URLs, which Node refuses; its own glue code knows Node, and gets its threads from here.
import { createRequire } from 'node:module'
import os from 'node:os'
import { dirname, join, sep } from 'node:path'
import { Worker } from 'node:worker_threads'
import type * as tf from '@tensorflow/tfjs-core'

// Not called `require`: the bundler adds a shim of that name.
const nodeRequire = createRequire(import.meta.url)

/** The build starts eight threads and no more. */
const mostThreads = 8

/** On how many cores the engine computes. */
export const wasmThreads = (): number => Math.min(os.availableParallelism(), mostThreads)

/** The compiled module, and the functions by which tfjs's backend calls it. */
interface GlueModule {
  cwrap(name: string, result: string | null, parameters: string[]): (...values: number[]) => number
  tfjs?: Record<string, (...values: number[]) => number>
}

interface GlueOptions {
  locateFile(path: string): string
  mainScriptUrlOrBlob: string
}

type BackendClass = new (module: GlueModule) => tf.KernelBackend

/** What the package says of its threaded build, from its own files. */
function glue(): {
  start: (options: GlueOptions) => Promise<GlueModule>
  script: string
  threadSource: string
} {
  const entry = '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd'
  const { wasmWorkerContents } = nodeRequire(`${entry}.worker.js`) as { wasmWorkerContents: string }
  return {
    start: nodeRequire(`${entry}.js`) as (options: GlueOptions) => Promise<GlueModule>,
    // In a packaged app the files lie outside the archive, where plain file calls see them.
    script: nodeRequire.resolve(`${entry}.js`).replace(`app.asar${sep}`, `app.asar.unpacked${sep}`),
    // A line break inside one of its texts lost its backslash on the way into the package.
    threadSource: wasmWorkerContents.replaceAll('\n', String.raw`\n`),
  }
}

/** Runs `start` while `new Worker(…)` in the glue code makes a thread of `source`, whatever file it names. */
function withThreads<Result>(source: string, start: () => Result): Result {
  class Thread extends Worker {
    constructor() {
      super(source, { eval: true, stdout: false, stderr: false })
      // A thread that waits for work must not keep a program running that has ended.
      this.unref()
    }
  }
  const before = Object.getOwnPropertyDescriptor(globalThis, 'Worker')
  // The glue code sets `Worker` first, to Node's: that is not to be had.
  Object.defineProperty(globalThis, 'Worker', { configurable: true, get: () => Thread, set: () => undefined })
  try {
    return start()
  } finally {
    if (before) Object.defineProperty(globalThis, 'Worker', before)
    else delete (globalThis as { Worker?: unknown }).Worker
  }
}

/** Runs `start` while the machine seems to have as many cores as let the build use `count`: it takes half of them at most. */
async function withCores<Result>(count: number, start: () => Promise<Result>): Promise<Result> {
  const { cpus } = os
  const [core] = cpus()
  if (!core) return start()
  os.cpus = () => Array.from({ length: 2 * count }, () => core)
  try {
    return await start()
  } finally {
    os.cpus = cpus
  }
}

/** A backend that computes on `wasmThreads()` threads. Rejects where shared memory or threads can't be had. */
export async function threadedBackend(
  Backend: BackendClass,
  setThreadsCount: (count: number) => void,
): Promise<tf.KernelBackend> {
  const { start, script, threadSource } = glue()
  const folder = dirname(script)
  const locateFile = (path: string): string => join(folder, path)
  const threads = wasmThreads()
  const module = await withCores(threads, () =>
    withThreads(threadSource, () => start({ locateFile, mainScriptUrlOrBlob: script })),
  )
  const number = 'number'
  module.tfjs = {
    init: module.cwrap('init', null, []),
    initWithThreadsCount: module.cwrap('init_with_threads_count', null, [number]),
    getThreadsCount: module.cwrap('get_threads_count', number, []),
    registerTensor: module.cwrap('register_tensor', null, [number, number, number]),
    disposeData: module.cwrap('dispose_data', null, [number]),
    dispose: module.cwrap('dispose', null, []),
  }
  setThreadsCount(threads)
  return new Backend(module)
}
