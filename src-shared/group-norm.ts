// The tfjs kernels that an engine may have for group normalisation with what follows it, in place of some twenty operations:
//   `forward`: x [N, P, C], scale and shift [C] → y [N, P, C], statistics [N, 2, C] (mean and 1/σ of each channel's group)
//   `back`: g, x, scale, shift, statistics → the gradients of x, scale and shift
export const groupNormKernels = { forward: 'GroupNorm', back: 'GroupNormBack' } as const

export interface GroupNormOptions {
  groups: number
  epsilon: number
  /** u·σ(u) of the normalised, scaled and shifted u. */
  silu: boolean
}
