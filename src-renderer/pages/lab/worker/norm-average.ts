// What each code remembers of the lengths of its vectors, in plain numbers between the steps; the rule itself is
// training's.
import * as tf from '@tensorflow/tfjs-core'
import { updateNormStatistics } from '#shared/quantize/rotation-adaptive'

export class NormAverage {
  /** Running sums of ‖e‖ and ‖e‖² [K]. */
  norms: Float32Array
  squares: Float32Array

  constructor(
    codeCount: number,
    private readonly decay: number,
  ) {
    this.norms = new Float32Array(codeCount)
    this.squares = new Float32Array(codeCount)
  }

  update(e: Float32Array, chosen: Uint16Array): void {
    tf.tidy(() => {
      const after = updateNormStatistics(
        { norms: tf.tensor1d(this.norms), squares: tf.tensor1d(this.squares) },
        tf.tensor2d(e, [chosen.length, 2]),
        tf.tensor1d(Int32Array.from(chosen), 'int32'),
        this.decay,
      )
      this.norms = Float32Array.from(after.norms.dataSync())
      this.squares = Float32Array.from(after.squares.dataSync())
    })
  }
}
