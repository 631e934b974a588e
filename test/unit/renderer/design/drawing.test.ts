import { describe, expect, it } from 'vitest'
import { layerRows } from '../../../../src-renderer/pages/design/layer-rows'
import { trainLabel } from '../../../../src-renderer/pages/design/train-label'

describe('layerRows', () => {
  it('joins equal neighbours of one part and draws by image side', () => {
    const rows = layerRows([
      { part: 'encoder', name: 'Image', shape: [64, 64, 3] },
      { part: 'encoder', name: 'Residual block', shape: [16, 16, 128] },
      { part: 'encoder', name: 'Residual block', shape: [16, 16, 128] },
      { part: 'quantizer', name: 'Nearest', shape: [16, 16, 32] },
      { part: 'decoder', name: 'Residual block', shape: [16, 16, 128] },
      { part: 'decoder', name: 'Image', shape: [1, 1, 3] },
    ])
    expect(rows.map(({ name, repeat, shape }) => `${repeat} ${name} ${shape}`)).toEqual([
      '1 Image 64×64×3',
      '2 Residual block 16×16×128',
      '1 Nearest 16×16×32',
      '1 Residual block 16×16×128',
      '1 Image 1×1×3',
    ])
    expect(rows[0]?.width).toBe(1)
    expect(rows[1]?.width).toBeCloseTo(0.15 + (0.85 * 4) / 6)
    expect(rows.at(-1)?.width).toBeCloseTo(0.15)
  })
})

describe('trainLabel', () => {
  it('leaves out a time that nobody has measured', () => {
    expect(trainLabel(5000, 0.168)).toBe('Train 5,000 steps (about 14 min)')
    expect(trainLabel(5000, 0.168, true)).toBe('Queue 5,000 steps (about 14 min)')
    expect(trainLabel(1, null)).toBe('Train 1 step')
    expect(trainLabel(100, undefined)).toBe('Train 100 steps')
  })
})
