// Photographs of 12 megapixels for measurements, made once into the cache: the same on every machine, with the spectrum
// of natural pictures (structure at every scale, hard edges, grain), so that a JPEG has a camera's size.
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import sharp from 'sharp'

const [width, height] = [4000, 3000]
const [coarseWidth, coarseHeight] = [1000, 750]
const cache = resolve(import.meta.dirname, '../../.cache')

/** A small fast generator (xorshift32), uniform in [0, 1). */
function generator(seed: number): () => number {
  let x = (seed * 0x9e3779b1) | 1
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) / 2 ** 32
  }
}

/** Adds a grid of `cells` random values across, smoothly interpolated, times `strength`, to every channel. */
function addOctave(into: Float32Array, random: () => number, cells: number, strength: number): void {
  const rows = Math.ceil((cells * coarseHeight) / coarseWidth) + 2
  const grid = Float32Array.from({ length: (cells + 2) * rows * 3 }, () => random() - 0.5)
  const scale = cells / coarseWidth
  for (let y = 0; y < coarseHeight; y++) {
    const row = Math.floor(y * scale)
    const fy = y * scale - row
    for (let x = 0; x < coarseWidth; x++) {
      const column = Math.floor(x * scale)
      const fx = x * scale - column
      for (let c = 0; c < 3; c++) {
        const at = (r: number, k: number): number => grid[((row + r) * (cells + 2) + column + k) * 3 + c] ?? 0
        const top = at(0, 0) * (1 - fx) + at(0, 1) * fx
        const bottom = at(1, 0) * (1 - fx) + at(1, 1) * fx
        const i = (y * coarseWidth + x) * 3 + c
        into[i] = (into[i] ?? 0) + strength * (top * (1 - fy) + bottom * fy)
      }
    }
  }
}

/** Ellipses of one colour each: the hard edges of things in front of others. */
function addThings(into: Float32Array, random: () => number): void {
  for (let thing = 0; thing < 30; thing++) {
    const [cx, cy] = [random() * coarseWidth, random() * coarseHeight]
    const [rx, ry] = [20 + random() * 120, 20 + random() * 120]
    const colour = [random() - 0.5, random() - 0.5, random() - 0.5].map((value) => value * 120)
    for (let y = Math.max(0, Math.ceil(cy - ry)); y < Math.min(coarseHeight, cy + ry); y++) {
      const half = rx * Math.sqrt(1 - ((y - cy) / ry) ** 2)
      for (let x = Math.max(0, Math.ceil(cx - half)); x < Math.min(coarseWidth, cx + half); x++) {
        const i = (y * coarseWidth + x) * 3
        for (let c = 0; c < 3; c++) into[i + c] = (into[i + c] ?? 0) + (colour[c] ?? 0)
      }
    }
  }
}

async function photograph(seed: number, grain: Uint8Array): Promise<Buffer> {
  const random = generator(seed + 1)
  const values = new Float32Array(coarseWidth * coarseHeight * 3).fill(128)
  for (let cells = 4; cells <= 512; cells *= 2) addOctave(values, random, cells, 500 / Math.sqrt(cells * 2))
  addThings(values, random)
  const coarse = Buffer.from(Uint8ClampedArray.from(values).buffer)
  const fine = { raw: { width, height, channels: 3 } } as const
  const smooth = await sharp(coarse, { raw: { width: coarseWidth, height: coarseHeight, channels: 3 } })
    .resize(width, height, { kernel: 'cubic' })
    .raw()
    .toBuffer()
  // The same grain from another place for each picture.
  const shift = Math.floor(random() * grain.length)
  for (let i = 0, g = shift; i < smooth.length; i++, g = g + 1 === grain.length ? 0 : g + 1) {
    smooth[i] = Math.min(255, Math.max(0, (smooth[i] ?? 0) + (grain[g] ?? 0) - 128))
  }
  return sharp(smooth, fine).jpeg({ quality: 90 }).toBuffer()
}

/** A folder of `count` photographs, 4000×3000, JPEG of quality 90. Takes a second each the first time. */
export async function photographs(count: number): Promise<string> {
  const folder = join(cache, `photographs-${count}`)
  if (existsSync(folder)) return folder
  const making = `${folder}.making`
  await mkdir(making, { recursive: true })
  const random = generator(0)
  // Nearly normal: the sum of three uniform numbers.
  const grain = Uint8Array.from(
    { length: 3_000_017 },
    () => 128 + (random() + random() + random() - 1.5) * 14,
  )
  const made = new Set(await readdir(making))
  for (let i = 0; i < count; i++) {
    const name = `${String(i).padStart(4, '0')}.jpg`
    if (made.has(name)) continue
    const temporary = join(making, `${name}.part`)
    await writeFile(temporary, await photograph(i, grain))
    await rename(temporary, join(making, name))
  }
  for (const name of await readdir(making)) if (name.endsWith('.part')) await rm(join(making, name))
  await rename(making, folder)
  return folder
}
