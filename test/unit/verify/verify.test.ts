// `verify` on the engine at hand: the reference vectors pass, every quantity of every case is really compared, and files
// that are not understood say why.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { verification, type VectorKind } from '#shared/contract/verify'
import { rotatedGradient } from '#main/train/verify/edges'
import { verify } from '#main/train/verify/index'
import { withFolder } from '../../support/folders'
import { startTestEngine } from '../../support/model-engine'
import { vectorFiles } from '../../support/vector-files'

beforeAll(async () => {
  await startTestEngine()
})

interface AnyFile {
  cases?: Record<string, unknown>[]
  runs?: Record<string, unknown>[]
  edges?: Record<string, unknown>[]
}

async function verifyContents(kind: VectorKind, contents: unknown) {
  return withFolder(async (folder) => {
    const file = join(folder, 'vectors.json')
    await writeFile(file, typeof contents === 'string' ? contents : JSON.stringify(contents))
    return verify(kind, file)
  })
}

const read = (file: string): AnyFile => JSON.parse(readFileSync(file, 'utf8')) as AnyFile

describe.each(vectorFiles)('$kind $name', ({ kind, file, cases }) => {
  test('passes, case by case, without a tensor left over', async () => {
    const before = tf.memory().numTensors
    const found = await verify(kind, file)
    expect(tf.memory().numTensors).toBe(before)
    expect(verification.parse(found)).toEqual(found)
    expect(found.cases.filter(({ pass }) => !pass)).toEqual([])
    expect(found.pass).toBe(true)
    expect(found.cases).toHaveLength(cases)
    for (const one of found.cases) {
      expect(one.indicesEqual).toBe(true)
      expect(Object.keys(one.quantities).length).toBeGreaterThan(0)
    }
  })
})

/** Every list or number of results below `value`, by path: what a run of the case must reproduce. */
function resultsOf(
  kind: VectorKind,
  one: Record<string, unknown>,
): [holder: Record<string, unknown>, key: string][] {
  const given = ['z', 'q', 'noise', 'x', 'inputs', 'upstream', 'dim', 'depth', 'decay', 'codebook_size']
  const start = ['codebook_initial', 'codebooks_initial', 'commitment_weight', 'steps']
  const own = Object.keys(one).filter((key) => ![...given, ...start].includes(key))
  const steps = kind === 'layer' ? (one['steps'] as Record<string, unknown>[]).slice(-1) : []
  return [
    ...own.flatMap((key): [Record<string, unknown>, string][] => {
      const value = one[key]
      if (key === 'gradients' || key === 'outputs')
        return Object.keys(value as object).map((name) => [value as Record<string, unknown>, name])
      return typeof value === 'number' || Array.isArray(value) ? [[one, key]] : []
    }),
    ...steps.flatMap((step) => resultsOf('quantizers', step)),
  ]
}

/** The same value with its first number a little off: by more than any bound, or another index. */
function spoilt(value: unknown, by: number): unknown {
  if (Array.isArray(value)) return value.map((item: unknown, i) => (i === 0 ? spoilt(item, by) : item))
  return (value as number) + by
}

const numbersIn = (value: unknown): number[] => [value].flat(4) as number[]

describe.each(vectorFiles)('a wrong number in $kind $name', ({ kind, file }) => {
  test('fails, wherever it is', async () => {
    const all = read(file)
    for (const one of all.cases ?? all.runs ?? []) {
      const results = resultsOf(kind, one)
      expect(results.length).toBeGreaterThan(0)
      for (const [holder, key] of results) {
        const right = holder[key]
        const largest = numbersIn(right).reduce((most, x) => Math.max(most, Math.abs(x)), 0)
        holder[key] = spoilt(right, key === 'indices' ? 1 : Math.max(0.01 * largest, 1e-6))
        const found = await verifyContents(kind, kind === 'layer' ? { runs: [one] } : { cases: [one] })
        expect(found.pass, `${String(one['name'] ?? one['estimator'])}: ${key}`).toBe(false)
        holder[key] = right
      }
    }
  })
})

test('the closed form at the edges is the matrix product', () => {
  const [z, q, g] = [
    [1, 2, -1],
    [0.5, -1, 2],
    [3, -1, 0.5],
  ] as const
  const norm = (a: readonly number[]): number => Math.hypot(...a)
  const hat = (a: readonly number[]): number[] => a.map((x) => x / norm(a))
  const [e, c] = [hat(z), hat(q)]
  const r = hat(e.map((x, i) => x + (c[i] ?? 0)))
  const at = (a: readonly number[], i: number): number => a[i] ?? NaN
  // R = I − 2rrᵀ + 2q̂êᵀ; the gradient is λRᵀg.
  const R = (i: number, j: number): number =>
    (i === j ? 1 : 0) - 2 * at(r, i) * at(r, j) + 2 * at(c, i) * at(e, j)
  const expected = [0, 1, 2].map(
    (j) => (norm(q) / norm(z)) * [0, 1, 2].reduce((sum, i) => sum + R(i, j) * at(g, i), 0),
  )
  for (const [i, value] of rotatedGradient(z, q, g).entries()) expect(value).toBeCloseTo(at(expected, i), 12)
  expect(rotatedGradient([0, 0, 0], q, g)).toEqual([...g])
})

describe('what is not understood', () => {
  const estimators = read(resolve('resources/vectors/estimators.json'))
  const [first] = estimators.cases ?? []

  test('an unknown estimator fails by name and the others are still run', async () => {
    const found = await verifyContents('estimators', { cases: [{ ...first, estimator: 'magic' }, first] })
    expect(found.pass).toBe(false)
    expect(found.cases).toMatchObject([
      { name: 'magic', pass: false, problem: expect.stringContaining('not supported') as string },
      { name: 'ste', pass: true },
    ])
  })

  test('so do an unknown quantizer and an unknown run', async () => {
    const one = { inputs: {}, forward: [[1]], name: 'toString' }
    expect((await verifyContents('quantizers', { cases: [one] })).cases[0]?.problem).toMatch(/not supported/)
    const [run] = read(resolve('resources/vectors/layer.json')).runs ?? []
    const found = await verifyContents('layer', { runs: [{ ...run, name: 'euclid_magic' }] })
    expect(found.cases).toMatchObject([{ name: 'euclid_magic', pass: false }])
  })

  test.each([
    ['no JSON', 'nonsense', /vectors\.json.*JSON/],
    ['no cases', {}, /vectors\.json.*cases/],
    ['an empty file of cases', { cases: [] }, /vectors\.json.*cases/],
    ['a case without a field', { cases: [{ ...first, grad_z: undefined }] }, /cases\.0\.grad_z/],
    [
      'rows of different lengths',
      { cases: [{ ...first, z: [[1, 2], [3]] }] },
      /cases\.0\.z.*different lengths/,
    ],
    ['numbers that do not fit together', { cases: [{ ...first, q: [[1, 2, 3]] }] }, /“ste” can't be run/],
  ])('%s is refused with the place', async (_, contents, message) => {
    await expect(verifyContents('estimators', contents)).rejects.toThrow(message)
  })

  test('a file that is not there is named', async () => {
    await expect(verify('layer', '/nowhere/vectors.json')).rejects.toThrow(/nowhere\/vectors\.json/)
  })

  test('a formula without the number that a case needs is refused', async () => {
    const { cases = [] } = read(resolve('resources/vectors/quantizers.json'))
    const gumbel = cases.find(({ name }) => name === 'gumbel')
    const file = { cases: [{ ...gumbel, formula: 'softmax' }] }
    await expect(verifyContents('quantizers', file)).rejects.toThrow(/gumbel.*temperature/)
  })
})
