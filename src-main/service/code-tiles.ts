// The decoded looks of codes: read from disk with no engine, and drawn by the trainer where they are not there yet. Once
// somebody looks at a codebook, the rest of it is drawn behind, so that the next time everything is there.
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { JobContext, Jobs } from './jobs'
import type { Operations } from './operations'
import { missingTiles, readTiles, writeTiles } from './tile-file'

/** Codes drawn in one call: a look at the page waits for no more than that. */
const atOnce = 64

/** The codebook whose tiles are asked for. */
export interface TiledCodebook {
  runId: string
  runFolder: string
  /** The checkpoint. */
  step: number
  /** All its codes. */
  codes: number
  /** Where its tiles are kept; another model has another file. */
  path: string
}

interface Tiles {
  size: number
  pixels: Uint8Array
}

export class CodeTiles {
  /** Files whose rest is being drawn, or was once: cancelled, it is not started again until Gyre is. */
  readonly #behind = new Set<string>()
  /** Files are written one after the other. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(private readonly parts: { jobs: Jobs; operations: Operations }) {}

  /** RGB tiles of these codes, in order. */
  async get(codebook: TiledCodebook, indices: readonly number[]): Promise<Tiles> {
    const stored = await readTiles(codebook.path, codebook.codes, indices).catch(() => null)
    const missing = [...new Set(indices.filter((_, i) => !stored?.tiles[i]))]
    if (stored && missing.length === 0) return { size: stored.size, pixels: join(stored.tiles, stored.size) }
    const drawn = await this.#draw(codebook, missing)
    this.#drawRest(codebook)
    const bytes = drawn.size ** 2 * 3
    const places = new Map(missing.map((code, i) => [code, i * bytes]))
    const tiles = indices.map((code, i) => {
      const at = places.get(code)
      return at === undefined ? (stored?.tiles[i] ?? null) : drawn.pixels.subarray(at, at + bytes)
    })
    return { size: drawn.size, pixels: join(tiles, drawn.size) }
  }

  async #draw({ runFolder, step, path, codes }: TiledCodebook, indices: number[]): Promise<Tiles> {
    const drawn = await this.parts.operations.withTrainer((trainer) =>
      trainer.decodeCodes({ runFolder, checkpoint: step, indices }),
    )
    // A full disk costs the time of drawing them again, nothing more.
    const write = async (): Promise<void> => {
      // Never the run's own folder: it may have been deleted meanwhile.
      await mkdir(dirname(path)).catch(() => undefined)
      await writeTiles(path, codes, indices, drawn)
    }
    this.#turn = this.#turn.then(write).catch(() => undefined)
    await this.#turn
    return drawn
  }

  /** A run that trains would be slowed down. */
  get #trains(): boolean {
    return this.parts.jobs.list().some(({ kind, status }) => kind === 'train' && status === 'running')
  }

  #drawRest(codebook: TiledCodebook): void {
    if (this.#trains || this.#behind.has(codebook.path)) return
    this.#behind.add(codebook.path)
    void this.#startRest(codebook)
  }

  async #startRest(codebook: TiledCodebook): Promise<void> {
    const missing = await missingTiles(codebook.path, codebook.codes).catch(() => [])
    if (missing.length === 0) return
    const about = { kind: 'inspect', title: 'Pictures of the codes', unit: 'codes' } as const
    this.parts.jobs.start({ ...about, runId: codebook.runId, total: missing.length }, (context) =>
      this.#drawAll(codebook, missing, context),
    )
  }

  async #drawAll(codebook: TiledCodebook, codes: readonly number[], context: JobContext): Promise<void> {
    for (let from = 0; from < codes.length; from += atOnce) {
      context.signal.throwIfAborted()
      if (this.#trains) {
        // The next look goes on from here.
        this.#behind.delete(codebook.path)
        return
      }
      await this.#draw(codebook, codes.slice(from, from + atOnce))
      context.update({ phase: 'Drawing the codes', done: Math.min(from + atOnce, codes.length) })
    }
  }
}

/** Tiles side by side in memory; black where one is missing. */
function join(tiles: readonly (Uint8Array | null)[], size: number): Uint8Array {
  const bytes = size ** 2 * 3
  const pixels = new Uint8Array(tiles.length * bytes)
  for (const [i, tile] of tiles.entries()) if (tile) pixels.set(tile, i * bytes)
  return pixels
}
