// The Python of the peers: PyTorch and vector-quantize-pytorch. They are several gigabytes, so they are used where they
// are installed already, and fetched only when GYRE_PEERS=1 asks for it.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { pythonWith, type Python } from './python'

const execute = promisify(execFile)

export async function peersPython(): Promise<Python> {
  const run = async (args: string[]): Promise<string> =>
    (await execute('python3', args, { maxBuffer: 64 * 1024 * 1024 })).stdout
  try {
    await run(['-c', 'import torch, vector_quantize_pytorch'])
    return { run }
  } catch {
    if (process.env['GYRE_PEERS'] === '1') return pythonWith(['torch', 'vector-quantize-pytorch'])
    return {
      missing: 'python3 has no torch and vector_quantize_pytorch; GYRE_PEERS=1 installs them (several GB)',
    }
  }
}
