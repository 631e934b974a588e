export interface Variant {
  id: string
  settings: string[]
  about: { estimator: string; distance: string }
}
export const variants: Variant[]

export interface TrainedRun {
  estimator: string
  distance: string
  seed: number
  validation: { mse: number; usage: number; perplexity: number; quantizationError: number } | null
}
export function estimatorTable(results: { runs: TrainedRun[] }): string
