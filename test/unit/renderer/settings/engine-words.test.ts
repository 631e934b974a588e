import { expect, it } from 'vitest'
import type { EngineStatus } from '#shared/contract/engines'
import { benchmarkCosts, whyWords } from '../../../../src-renderer/pages/settings/engine-words'
import { fakeBenchmark } from '../../../support/fake-engines'

const status = (id: EngineStatus['id'], reason: string): EngineStatus => ({
  ...{ id, available: true, installed: true, installable: false, removable: false },
  ...{ downloadBytes: 0, diskBytes: 0, verifiedOnHardware: false, reason, device: '', version: '1' },
})
const chosen = { id: 'tensorflow-cpu', name: 'TensorFlow (CPU)', version: '1', device: '', reason: '' }

it('says why an engine is not used: a later one because another comes first, an earlier one because nobody asked for it', () => {
  expect(whyWords(status('wasm', 'It is here.'), chosen, 'auto')).toBe(
    'It is here. New runs use TensorFlow (CPU), which comes first.',
  )
  expect(whyWords(status('webgpu', 'It is slow.'), chosen, 'auto')).toBe(
    'It is slow. New runs use it only when it is chosen by name.',
  )
  expect(whyWords(status('wasm', 'It is here.'), chosen, 'tensorflow-cpu')).toBe(
    'It is here. You chose another engine.',
  )
})

it('tells the memory and the waiting that were measured', () => {
  expect(benchmarkCosts(fakeBenchmark('wasm'))).toMatch(
    /^At most .+B of memory; .+ % of a run’s time waiting/,
  )
})
