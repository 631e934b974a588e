// Why one file can't be used: thrown by the readers of files and images, collected by the scan, never fatal.
import type { SkippedFile } from '#shared/contract/files'

export type SkipReason = SkippedFile['reason']

/** A file that is not used; `detail` is a plain sentence for the report. */
export class Unusable extends Error {
  override readonly name = 'Unusable'

  constructor(
    readonly reason: SkipReason,
    readonly detail: string,
    options?: { cause?: unknown },
  ) {
    super(detail, options)
  }
}
