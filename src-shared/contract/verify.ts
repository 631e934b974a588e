// What `gyre verify` says: how far an engine's results are from reference vectors, case by case.
import { z } from 'zod'

/** `estimators.json`, `layer.json` and `quantizers.json` are the models of the three formats. */
export const vectorKinds = ['estimators', 'layer', 'quantizers'] as const
export const vectorKind = z.enum(vectorKinds)
export type VectorKind = z.infer<typeof vectorKind>

/** Over a whole tensor: max|a−b|, and max|a−b| / max|b|. null where it is not a finite number. */
export const quantityError = z.object({ abs: z.number().nullable(), rel: z.number().nullable() })
export type QuantityError = z.infer<typeof quantityError>

export const verifiedCase = z.object({
  name: z.string(),
  dim: z.int(),
  quantities: z.record(z.string(), quantityError),
  /** Equal but for ties; true where a case names no indices. */
  indicesEqual: z.boolean(),
  pass: z.boolean(),
  /** Why it does not pass, where the figures do not say it. */
  problem: z.string().optional(),
})
export type VerifiedCase = z.infer<typeof verifiedCase>

export const verification = z.object({ pass: z.boolean(), cases: z.array(verifiedCase) })
export type Verification = z.infer<typeof verification>
