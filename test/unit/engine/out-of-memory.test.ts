// The words in which engines say that memory has run out, as they were seen; and words that mean something else.
import { expect, test } from 'vitest'
import { GyreError } from '#shared/contract/errors'
import { explainMemory } from '#main/engine/index'

test.each([
  [
    'TensorFlow’s allocator',
    'Invalid TF_Status: 8\nMessage: OOM when allocating tensor with shape[1024,16,16,128] and type float on CPU:0 by allocator mklcpu',
  ],
  [
    'oneDNN',
    'Invalid TF_Status: 10\nMessage: Operation received an exception:Status: 1, message: could not create a primitive, in file tensorflow/core/kernels/mkl/mkl_conv_ops.cc:1',
  ],
  ['TensorFlow, through our module', 'TensorFlow 8: failed to allocate memory'],
  ['our module', 'There is no memory for a feed.'],
  ['WASM', 'memory access out of bounds'],
  ['WASM, where C++ asked', 'Aborted(). Build with -sASSERTIONS for more info.'],
  ['WASM’s allocator', 'Aborted(OOM). Build with -sASSERTIONS for more info.'],
  ['Node', 'Array buffer allocation failed'],
  ['C++', 'std::bad_alloc'],
])('%s', (_, message) => {
  const thrown = new Error(message)
  const explained = explainMemory(thrown)
  expect(explained).toMatchObject({ code: 'out-of-memory', cause: thrown })
})

test.each([
  new Error('Invalid TF_Status: 3\nMessage: Incompatible shapes: [2,3] vs. [4]'),
  new Error('Cannot read properties of undefined'),
  new GyreError('no-space', 'The disk is full: out of memory access out of bounds'),
  'memory access out of bounds',
])('what it is not passes as it is: %s', (thrown) => {
  expect(explainMemory(thrown)).toBe(thrown)
})
