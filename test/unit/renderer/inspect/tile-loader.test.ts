// Tiles on screen are fetched in batches, once, and memory stays within its budget.
import { describe, expect, it, vi } from 'vitest'
import { TileLoader, type TileLoaderOptions } from '../../../../src-renderer/pages/inspect/tile-loader'

/** A tile of 2×2 pixels whose values are its code. */
const tiles = (codes: number[]): { size: number; pixels: Uint8Array } => ({
  size: 2,
  pixels: Uint8Array.from(codes.flatMap((code) => new Array<number>(12).fill(code))),
})

function setUp(options: Partial<TileLoaderOptions> = {}): {
  loader: TileLoader
  asked: number[][]
  errors: unknown[]
} {
  const asked: number[][] = []
  const errors: unknown[] = []
  const loader = new TileLoader({
    fetch: (codes) => {
      asked.push(codes)
      return Promise.resolve(tiles(codes))
    },
    onTiles: () => undefined,
    onError: (error) => errors.push(error),
    batch: 3,
    ...options,
  })
  return { loader, asked, errors }
}

describe('TileLoader', () => {
  it('asks in batches, each code once, and gives each code its own pixels', async () => {
    const { loader, asked } = setUp()
    loader.want([5, 6, 7, 8])
    await vi.waitFor(() => expect(loader.get(8)).toBeDefined())
    loader.want([7, 8, 9])
    await vi.waitFor(() => expect(loader.get(9)).toBeDefined())
    expect(asked).toEqual([[5, 6, 7], [8], [9]])
    expect([...(loader.get(6) ?? [])]).toEqual(new Array(12).fill(6))
    expect(loader.size).toBe(2)
  })

  it('forgets what scrolled by before it was asked for', async () => {
    let answer = (): void => undefined
    const asked: number[][] = []
    const { loader } = setUp({
      fetch: async (codes) => {
        asked.push(codes)
        await new Promise<void>((resolve) => (answer = resolve))
        return tiles(codes)
      },
    })
    loader.want([1, 2, 3, 4, 5, 6])
    loader.want([10])
    loader.want([20])
    answer()
    await vi.waitFor(() => expect(asked).toHaveLength(2))
    expect(asked).toEqual([[1, 2, 3], [20]])
  })

  it('stays within its budget and keeps what is on screen', async () => {
    const { loader } = setUp({ budgetBytes: 12 * 4 })
    loader.want([1, 2, 3])
    await vi.waitFor(() => expect(loader.get(3)).toBeDefined())
    loader.want([4, 5, 6])
    await vi.waitFor(() => expect(loader.get(6)).toBeDefined())
    const kept = [1, 2, 3, 4, 5, 6].filter((code) => loader.get(code))
    expect(kept).toEqual([3, 4, 5, 6])
  })

  it('reports a failure, does not ask again by itself, and recovers', async () => {
    let fails = true
    const { loader, errors } = setUp({
      fetch: (codes) => (fails ? Promise.reject(new Error('gone')) : Promise.resolve(tiles(codes))),
    })
    loader.want([1])
    await vi.waitFor(() => expect(errors).toHaveLength(1))
    fails = false
    loader.want([1])
    await vi.waitFor(() => expect(loader.get(1)).toBeDefined())
    expect(errors).toHaveLength(1)
  })

  it('refuses an answer that is too short', async () => {
    const { loader, errors } = setUp({ fetch: () => Promise.resolve(tiles([1])) })
    loader.want([1, 2])
    await vi.waitFor(() => expect(errors).toHaveLength(1))
    expect(loader.get(1)).toBeUndefined()
  })
})
