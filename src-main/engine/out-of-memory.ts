// Engines say in their own words that memory has run out, and not always as that: this knows the words. Pure.
import { GyreError } from '#shared/contract/errors'

const words: readonly RegExp[] = [
  // TensorFlow's allocator (RESOURCE_EXHAUSTED is status 8, in tfjs-node's words and in those of our module), and C++'s.
  /OOM when allocating|RESOURCE_EXHAUSTED|TF_Status: 8\b|^TensorFlow 8: |std::bad_alloc/,
  // Our module, when it copies.
  /There is no memory for a (?:feed|result)/,
  // oneDNN, which convolutions on the processor go through: it has no memory left to set one up.
  /could not (?:create|execute|initialize) a \w+/,
  // WebAssembly: an allocation that failed ends in C's abort, or gives an address beyond the end.
  /memory access out of bounds|Aborted\((?:OOM)?\)|Cannot enlarge memory/,
  // Node.
  /Array buffer allocation failed|Invalid array buffer length/,
]

/** @param cause What the engine said. */
export const tooLittleMemory = (cause?: Error): GyreError =>
  new GyreError(
    'out-of-memory',
    'The memory is not enough for this.',
    'Use a smaller batch size or image size.',
    { cause },
  )

/** What an engine threw, as `out-of-memory` where that is what it means; anything else as it came. */
export function explainMemory(thrown: unknown): unknown {
  if (thrown instanceof GyreError || !(thrown instanceof Error)) return thrown
  if (!words.some((pattern) => pattern.test(thrown.message))) return thrown
  return tooLittleMemory(thrown)
}

/** Waits for work of an engine. */
export async function withMemoryWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw explainMemory(error)
  }
}
