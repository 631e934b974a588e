// The state of every engine, and which one a wish leads to, with the reason as people should read it. Nothing native is
// loaded into this process for it.
import { engineIds } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { tensorFlowState } from './tensorflow/status'
import type { EngineId, EngineOptions, EngineStatus } from './types'
import { wasmStatus } from './wasm/backend'
import { webGpuState } from './webgpu/status'

interface Candidate {
  status: EngineStatus
  /** Right, but only for who asks for it by name. */
  onlyByName: boolean
}

async function candidate(id: EngineId, options: EngineOptions): Promise<Candidate> {
  if (id === 'wasm') return { status: wasmStatus(), onlyByName: false }
  if (id !== 'webgpu') return { status: (await tensorFlowState(id, options)).status, onlyByName: false }
  const { status, software } = await webGpuState(options)
  return { status, onlyByName: software }
}

/** The state of one engine. */
export const engineStatus = async (id: EngineId, options: EngineOptions = {}): Promise<EngineStatus> =>
  (await candidate(id, options)).status

/** The state of every engine, best first. */
export function listEngines(options: EngineOptions = {}): Promise<EngineStatus[]> {
  return Promise.all(engineIds.map((id) => engineStatus(id, options)))
}

/** Engines that looked right and did not start, with the reason. */
export type NotStarted = ReadonlyMap<EngineId, string>

/** What `auto` takes, and why the engines before it were passed over. */
async function chooseBest(
  options: EngineOptions,
  notStarted: NotStarted,
): Promise<{ id: EngineId; reason: string }> {
  const passed: string[] = []
  for (const id of engineIds) {
    const failure = notStarted.get(id)
    if (failure !== undefined) {
      passed.push(failure)
      continue
    }
    const { status, onlyByName } = await candidate(id, options)
    if (status.available && !onlyByName) return { id, reason: [status.reason, ...passed.reverse()].join(' ') }
    // Only what is worth saying: not that NVIDIA's engine needs NVIDIA's card, nor what was asked for by name.
    const pointless = id === 'tensorflow-cuda' && !status.installed && !status.installable
    if (!onlyByName && !pointless) passed.push(status.reason)
  }
  throw new GyreError('engine-unavailable', 'No engine can run on this machine.')
}

/**
 * Which engine a run will use, and why, in sentences. `auto` passes over what did not start before.
 * Throws `engine-unavailable` when one is wanted by name and is not there.
 */
export async function chooseEngine(
  wanted: EngineId | 'auto',
  options: EngineOptions = {},
  notStarted: NotStarted = new Map(),
): Promise<{ id: EngineId; reason: string }> {
  if (wanted === 'auto') return chooseBest(options, notStarted)
  if (!engineIds.includes(wanted))
    throw new GyreError(
      'invalid-input',
      `There is no engine “${wanted as string}”.`,
      `Use one of: ${engineIds.join(', ')}, auto.`,
    )
  const { available, reason } = await engineStatus(wanted, options)
  if (!available)
    throw new GyreError('engine-unavailable', reason, 'Or choose WebAssembly (wasm), which is always there.')
  return { id: wanted, reason: 'You chose it.' }
}
