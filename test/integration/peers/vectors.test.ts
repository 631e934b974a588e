// The peers' vectors are what their script makes: run again where PyTorch is installed, and compared number by number.
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { withFolder } from '../../support/folders'
import { peersPython } from '../../support/peers'

const peers = resolve(import.meta.dirname, '../../peers')
const python = await peersPython()

/** Every number and text of a JSON value, with its path. */
function leaves(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]]
  return Object.entries(value).flatMap(([key, item]) => leaves(item, `${path}.${key}`))
}

describe('vectors.py', () => {
  test('makes the committed vectors', async ({ skip }) => {
    if ('missing' in python) return skip(python.missing)
    await withFolder(async (folder) => {
      await python.run([join(peers, 'vectors.py'), folder])
      const files = (await readdir(folder)).sort()
      expect(files).toEqual(['adaptive.json', 'baselines.json', 'codebook.json', 'quantizers.json'])
      for (const file of files) {
        const [made, kept] = await Promise.all(
          [join(folder, file), join(peers, 'vectors', file)].map(async (path) =>
            leaves(JSON.parse(await readFile(path, 'utf8'))),
          ),
        )
        expect(made?.map(([path]) => path)).toEqual(kept?.map(([path]) => path))
        const different = made?.filter(([, value], i) => {
          const other = kept?.[i]?.[1]
          if (typeof value !== 'number' || typeof other !== 'number') return value !== other
          return !(Math.abs(value - other) <= 1e-11 * Math.max(1, Math.abs(other)))
        })
        expect(different).toEqual([])
      }
    })
  })
})
