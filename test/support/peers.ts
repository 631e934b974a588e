// The Python of the peers: PyTorch and vector-quantize-pytorch. They are several gigabytes, so they are used where they
// are installed already (python3, or the Python that GYRE_PYTHON names), and fetched only when GYRE_PEERS=1 asks for it.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { pythonWith, type Python } from './python'

const execute = promisify(execFile)

export async function peersPython(): Promise<Python> {
  const command = process.env['GYRE_PYTHON'] ?? 'python3'
  const run = async (args: string[]): Promise<string> =>
    (await execute(command, args, { maxBuffer: 64 * 1024 * 1024 })).stdout
  try {
    await run(['-c', 'import torch, vector_quantize_pytorch'])
    return { command, env: process.env, run }
  } catch {
    if (process.env['GYRE_PEERS'] === '1') return pythonWith(['torch', 'vector-quantize-pytorch'])
    const missing = `${command} has no torch and vector_quantize_pytorch; GYRE_PEERS=1 installs them (several GB)`
    return { missing }
  }
}
