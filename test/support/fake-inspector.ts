// A codebook in memory, with made-up uses, tiles and neighbours.
import type { RunFile } from '#shared/contract/files'
import type { GyreHandlers } from '#shared/contract/index'
import { picture } from './fake-data'

export const fakeInspector = (run: (id: string) => RunFile): GyreHandlers['inspector'] => ({
  open: ({ runId, checkpoint }) => ({
    jobId: null,
    step: typeof checkpoint === 'number' ? checkpoint : run(runId).step,
  }),
  summary: ({ runId, checkpoint }) => {
    const { config, step: newest } = run(runId)
    const step = typeof checkpoint === 'number' ? checkpoint : newest
    const size = config.codebookSize
    const counts = Int32Array.from({ length: size }, (_, code) =>
      code % 4 === 3 ? 0 : Math.round(4000 / (1 + code * 0.2) + (code % 7)),
    )
    const used = counts.filter((one) => one > 0).length
    return {
      runId,
      step,
      images: 3407,
      vectors: counts.reduce((sum, one) => sum + one, 0),
      tokens: [16, 16],
      codebookSize: size,
      used,
      usage: used / size,
      perplexity: 402,
      dead: size - used,
      deadWindow: 'steps 901 to 1,000',
      counts,
      deadFlags: counts.map((one) => (one === 0 ? 1 : 0)),
      norms: Float32Array.from({ length: size }, (_, code) => 0.5 + (code % 10) / 10),
      meanDistance: Float32Array.from(counts, (one, code) => (one === 0 ? NaN : 0.05 + (code % 5) / 50)),
    }
  },
  decodedTiles: ({ indices }) => {
    const size = 16
    const pixels = new Uint8Array(indices.length * size * size * 3)
    indices.forEach((code, i) => {
      for (let p = 0; p < size * size; p += 1)
        for (let part = 0; part < 3; part += 1)
          pixels[(i * size * size + p) * 3 + part] =
            128 + 100 * Math.sin(code * 0.7 + part * 2 + ((p % size) * (code % 5)) / size)
    })
    return { size, pixels }
  },
  nearest: ({ code, count }) =>
    Array.from({ length: count }, (_, i) => ({
      file: `faces/image-${String(code + i).padStart(5, '0')}.png`,
      item: code + i,
      row: (code + i) % 16,
      column: (code * 3 + i) % 16,
      distance: 0.08 + i * 0.004,
    })),
  patch: ({ item }) => picture(item, 48),
})
