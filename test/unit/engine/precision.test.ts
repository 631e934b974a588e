import { describe, expect, it } from 'vitest'
import { bfloat16Refusal } from '#main/engine/precision'

const older = 'flags\t\t: fpu sse4_2 avx2 avx512f avx512_vnni'
const newer = 'flags\t\t: fpu avx512f avx512_bf16 amx_tile'

describe('bfloat16', () => {
  it('is for processors with instructions for it', () => {
    expect(bfloat16Refusal('tensorflow-cpu', newer)).toBeNull()
    expect(bfloat16Refusal('tensorflow-cpu', 'flags : amx_bf16')).toBeNull()
    expect(bfloat16Refusal('tensorflow-cpu', older)).toMatch(/no instructions/)
    expect(bfloat16Refusal('tensorflow-cpu', '')).toMatch(/no instructions/)
  })
  it('is for engines that run graphs', () => {
    expect(bfloat16Refusal('wasm', newer)).toMatch(/float32 only/)
    expect(bfloat16Refusal('webgpu', newer)).toMatch(/float32 only/)
    expect(bfloat16Refusal('tensorflow-cuda', older)).toBeNull()
  })
})
