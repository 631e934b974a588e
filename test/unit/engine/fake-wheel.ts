// A small wheel and a package server on the loopback address: they stand for the real ones in installer tests.
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import { onTestFinished } from 'vitest'
import type { InstallSteps } from '#main/engine/tensorflow/install'
import type { Variant, Wheel } from '#main/engine/tensorflow/variants'

/** Bytes that do not compress, the same every time. */
function noise(count: number, seed: number): Uint8Array {
  let state = seed
  return Uint8Array.from(
    { length: count },
    () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 24,
  )
}

export const libraryBytes = noise(1_500_000, 1)

export const wheelBytes = zipSync({
  'tensorflow/libtensorflow_cc.so.2': libraryBytes,
  'tensorflow/libtensorflow_framework.so.2': noise(200_000, 2),
  'tensorflow/include/tensorflow/c/c_api.h': new TextEncoder().encode('// header\n'),
  'tensorflow/python/not_needed.py': new TextEncoder().encode('pass\n'),
})

export const variant: Variant = {
  id: 'tensorflow-cpu',
  version: '0.0.1',
  platform: 'linux',
  arch: 'x64',
  wheel: {
    requirement: 'fake-engine==0.0.1',
    fileName: 'fake_engine-0.0.1-cp311-cp311-manylinux_2_27_x86_64.whl',
    sizeBytes: wheelBytes.length,
    sha256: createHash('sha256').update(wheelBytes).digest('hex'),
    pythonVersion: '3.11',
    abi: 'cp311',
    platformTag: 'manylinux_2_27_x86_64',
    holds: ['tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'],
  },
  companions: [],
  libraryFolder: '',
  headerFolders: ['tensorflow/include/tensorflow/c/'],
  unpackedBytes: 1_700_000,
  verifiedOnHardware: true,
}

/** Two small wheels as NVIDIA makes them: libraries, a program, and files that are not needed. */
export const companionBytes: readonly Uint8Array[] = [
  zipSync({
    'nvidia/fakeblas/lib/libfakeblas.so.12': noise(700_000, 3),
    'nvidia/fakeblas/include/fakeblas.h': new TextEncoder().encode('// header\n'),
    'nvidia/__init__.py': new Uint8Array(),
  }),
  zipSync({
    'nvidia/cuda_nvcc/bin/ptxas': noise(300_000, 4),
    'nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc': noise(50_000, 5),
    'nvidia/cuda_nvcc/lib/libnot.a': noise(1000, 6),
  }),
]

const companionFiles = [
  ['fake-blas', 'nvidia/fakeblas/lib/libfakeblas.so.12'],
  ['fake-nvcc', 'nvidia/cuda_nvcc/bin/ptxas'],
] as const

const companions: readonly Wheel[] = companionFiles.map(([project, file], i) => {
  const bytes = companionBytes[i] ?? new Uint8Array()
  return {
    requirement: `${project}==12.0`,
    fileName: `${project.replace('-', '_')}-12.0-py3-none-manylinux_2_27_x86_64.whl`,
    sizeBytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    pythonVersion: '3.11',
    abi: 'none',
    platformTag: 'manylinux_2_27_x86_64',
    holds: [file],
  }
})

/** The same engine with companions, as the one for NVIDIA's cards has them. */
export const gpuVariant: Variant = {
  ...variant,
  id: 'tensorflow-cuda',
  companions,
  libraryFolder: 'tensorflow',
  unpackedBytes: 2_750_000,
  verifiedOnHardware: false,
}

/** Steps that need no compiler and no TensorFlow. */
export const fakeSteps: InstallSteps = {
  findCompiler: () => Promise.resolve('c++'),
  compileBinding: async (_variant, folder) => {
    await writeFile(join(folder, 'tfjs_binding.node'), 'binding')
    await writeFile(join(folder, 'gyre_quiet.node'), 'quiet')
    await writeFile(join(folder, 'gyre_graph.node'), 'graph')
  },
  probeBinding: () => Promise.resolve('0.0.1'),
  download: { attempts: 2, retryDelayMs: 1 },
  pollMs: 5,
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gyre-engine-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface PackageServer {
  indexUrl: string
  wheelUrl: string
  /** The Range header of every request for the wheel, '' where there was none. */
  ranges: string[]
  /** File names in the order in which they were asked for. */
  asked: string[]
  sentBytes: number
}

interface Behaviour {
  body?: Uint8Array
  /** How many bytes the k-th answer sends before the connection is cut; the rest of the answers are whole. */
  cutAfter?: number[]
  ignoreRanges?: boolean
  /** The status of the k-th answer; the rest are ordinary. */
  statuses?: number[]
}

/** Serves a "simple" index with the wheel, which behaves as told, and its companions. Closed when the test ends. */
export async function servePackage(behaviour: Behaviour = {}): Promise<PackageServer> {
  const body = behaviour.body ?? wheelBytes
  const state: PackageServer = { indexUrl: '', wheelUrl: '', ranges: [], asked: [], sentBytes: 0 }
  const wheelPath = `/files/${variant.wheel.fileName}`

  function sendWheel(request: IncomingMessage, response: ServerResponse): void {
    const turn = state.ranges.length
    state.ranges.push(request.headers.range ?? '')
    const status = behaviour.statuses?.[turn]
    if (status !== undefined) {
      response.writeHead(status).end()
      return
    }
    const asked = behaviour.ignoreRanges ? undefined : /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]
    const start = Number(asked ?? 0)
    if (start >= body.length) {
      response.writeHead(416).end()
      return
    }
    const rest = body.subarray(start)
    response.writeHead(asked === undefined ? 200 : 206, {
      'content-length': rest.length,
      'content-range': `bytes ${start}-${body.length - 1}/${body.length}`,
    })
    const part = rest.subarray(0, behaviour.cutAfter?.[turn] ?? rest.length)
    state.sentBytes += part.length
    if (part.length === rest.length) response.end(part)
    else response.write(part, () => response.destroy())
  }

  function sendCompanion(index: number, request: IncomingMessage, response: ServerResponse): void {
    const bytes = companionBytes[index] ?? new Uint8Array()
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    state.asked.push(companions[index]?.fileName ?? '')
    response.writeHead(start > 0 ? 206 : 200, {
      'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
    })
    response.end(bytes.subarray(start))
  }

  const server = createServer((request, response) => {
    const named = companions.findIndex(({ fileName }) => request.url === `/files/${fileName}`)
    const project = companionFiles.findIndex(([name]) => request.url === `/simple/${name}/`)
    if (request.url === wheelPath) {
      state.asked.push(variant.wheel.fileName)
      sendWheel(request, response)
    } else if (named >= 0) sendCompanion(named, request, response)
    else if (project >= 0)
      response
        .setHeader('content-type', 'text/html')
        .end(`<a href="../../files/${companions[project]?.fileName ?? ''}">wheel</a>`)
    else if (request.url === '/simple/fake-engine/')
      response.setHeader('content-type', 'text/html').end(`<a href="../..${wheelPath}#sha256=0">wheel</a>`)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  state.indexUrl = `${origin}/simple`
  state.wheelUrl = origin + wheelPath
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return state
}
