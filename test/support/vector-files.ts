// Every file of reference vectors that `gyre verify` reads: the golden ones, and the peers'.
import { resolve } from 'node:path'
import type { VectorKind } from '#shared/contract/verify'

interface VectorFile {
  kind: VectorKind
  name: string
  file: string
  /** How many it holds, so that none can go missing. */
  cases: number
}

const root = resolve(import.meta.dirname, '../..')
const golden = (kind: VectorKind, name: string, cases: number): VectorFile => ({
  ...{ kind, name, cases },
  file: resolve(root, 'resources/vectors', `${name}.json`),
})
const peers = (name: string, cases: number): VectorFile => ({
  ...{ kind: 'quantizers' as const, name: `peers/${name}`, cases },
  file: resolve(root, 'test/peers/vectors', `${name}.json`),
})

export const vectorFiles: readonly VectorFile[] = [
  golden('estimators', 'estimators', 18),
  golden('layer', 'layer', 3),
  golden('layer', 'layers_more', 2),
  golden('quantizers', 'quantizers', 16),
  peers('adaptive', 3),
  peers('baselines', 3),
  peers('quantizers', 3),
  peers('codebook', 5),
]
