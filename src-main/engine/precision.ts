// Which engines compute convolutions in bfloat16, by what the processor says of itself. Loads nothing.
import { readFileSync } from 'node:fs'
import type { EngineId } from './types'

/** A flag of any of these means instructions for bfloat16: with them it is faster than float32, without them slower. */
const wanted = /\b(avx512_bf16|amx_bf16)\b/

/** The processor's flags as Linux lists them; empty elsewhere. */
function processorFlags(path = '/proc/cpuinfo'): string {
  try {
    return /^flags\s*:.*$/m.exec(readFileSync(path, 'utf8'))?.[0] ?? ''
  } catch {
    return ''
  }
}

/** Why an engine cannot train in bfloat16 here, as a sentence, or null where it can. */
export function bfloat16Refusal(id: EngineId, flags = processorFlags()): string | null {
  if (id === 'wasm' || id === 'webgpu') return 'This engine computes in float32 only.'
  if (id === 'tensorflow-cpu' && !wanted.test(flags))
    return 'This processor has no instructions for bfloat16.'
  return null
}
