// A download is put together from pieces, whatever their sizes, and a short one is an error.
import { describe, expect, it } from 'vitest'
import { pythonSnippet, readWhole } from '../../../../src-renderer/pages/export/download'

const bytes = Uint8Array.from({ length: 25 }, (_, i) => i)
const file = { name: 'model.safetensors', sizeBytes: 25 }

describe('readWhole', () => {
  it('asks from where it is until it has everything', async () => {
    const offsets: number[] = []
    const progress: number[] = []
    const blob = await readWhole(
      file,
      (offset) => {
        offsets.push(offset)
        return Promise.resolve(bytes.slice(offset, offset + 10))
      },
      (done) => progress.push(done),
    )
    expect(new Uint8Array(await blob.arrayBuffer())).toEqual(bytes)
    expect(offsets).toEqual([0, 10, 20])
    expect(progress).toEqual([10, 20, 25])
  })

  it('names a file that ends too early', async () => {
    const read = (offset: number): Promise<Uint8Array> => Promise.resolve(bytes.slice(offset, 12))
    await expect(readWhole(file, read)).rejects.toThrow(/model\.safetensors/)
  })
})

describe('pythonSnippet', () => {
  it('names the files and the shape', () => {
    expect(pythonSnippet([1024, 32])).toContain('codebook = tensors["codebook"]  # (1024, 32)')
    expect(pythonSnippet(undefined)).toContain('load_file("model.safetensors")')
  })
})
