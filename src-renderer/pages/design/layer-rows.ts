// The network as rows of a drawing: equal neighbours are one row, and each has a width by its image side. Pure.
export interface Layer {
  part: 'encoder' | 'quantizer' | 'decoder'
  name: string
  shape: readonly number[]
}

interface LayerRow {
  part: Layer['part']
  name: string
  /** `16×16×128` */
  shape: string
  repeat: number
  /** 0 to 1: how wide it is drawn, by the logarithm of its image side. */
  width: number
}

export function layerRows(layers: readonly Layer[]): LayerRow[] {
  const largest = Math.max(2, ...layers.map((layer) => layer.shape[0] ?? 1))
  const rows: LayerRow[] = []
  for (const { part, name, shape } of layers) {
    const words = shape.join('×')
    const before = rows.at(-1)
    if (before?.part === part && before.name === name && before.shape === words) {
      before.repeat += 1
      continue
    }
    const width = 0.15 + (0.85 * Math.log2(Math.max(1, shape[0] ?? 1))) / Math.log2(largest)
    rows.push({ part, name, shape: words, repeat: 1, width })
  }
  return rows
}
