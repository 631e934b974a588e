// Which settings go together, and which of them do something.
import { describe, expect, it, test } from 'vitest'
import {
  applySettings,
  checkConfig,
  configKeys,
  configSchema,
  defaultConfig,
  estimatorIds,
  fieldApplies,
  latentWidth,
  parseConfig,
  quantizerIds,
  totalCodes,
  type ConfigField,
  type ConfigInput,
  type RunConfig,
} from '#shared/config/index'
import { GyreError } from '#shared/contract/errors'
import { estimators } from '#shared/quantize/index'

const withChanges = (changes: ConfigInput): RunConfig => configSchema.parse(changes)
const errorsOf = (changes: ConfigInput): ConfigField[] =>
  checkConfig(withChanges(changes)).errors.map(({ field }) => field)
const warningsOf = (changes: ConfigInput): ConfigField[] =>
  checkConfig(withChanges(changes)).warnings.map(({ field }) => field)

test('the configuration names exactly the estimators that there are', () => {
  expect([...estimatorIds].toSorted()).toEqual(Object.keys(estimators).toSorted())
})

describe('accepted', () => {
  const gradient = { codebookUpdate: 'gradient' } as const
  const revived = { ...gradient, deadCodeThreshold: 1 }
  it.each<[string, ConfigInput]>([
    ...estimatorIds.map((estimator): [string, ConfigInput] => [
      estimator,
      { estimator, ...(['nsvq', 'diveq', 'sf_diveq', 'gumbel'].includes(estimator) ? revived : {}) },
    ]),
    ['residual', { quantizer: 'residual' }],
    ['grouped, cosine', { quantizer: 'grouped', groups: 4, distance: 'cosine' }],
    ['simvq', { quantizer: 'simvq', estimator: 'ste', ...gradient }],
    ['ibq', { quantizer: 'ibq', ...gradient }],
    ['optvq', { quantizer: 'optvq', estimator: 'ste' }],
    ['soft_convex', { quantizer: 'soft_convex', ...gradient }],
    ['fsq', { quantizer: 'fsq', fsqLevels: [8, 5, 5, 5], codeDim: 4, codebookSize: 1000 }],
    ['lfq', { quantizer: 'lfq', codeDim: 9, codebookSize: 512 }],
    ['regularised', { ...gradient, orthogonalWeight: 1, entropyWeight: 0.1 }],
  ])('%s', (_, changes) => {
    expect(checkConfig(withChanges(changes)).errors).toEqual([])
    expect(parseConfig(changes)).toEqual(withChanges(changes))
  })
})

describe('refused, with the field that is wrong', () => {
  it.each<[string, ConfigInput, ConfigField]>([
    ['running means over a codebook that diveq trains', { estimator: 'diveq' }, 'codebookUpdate'],
    ['running means over one that nsvq trains', { estimator: 'nsvq' }, 'codebookUpdate'],
    ['running means with simvq', { quantizer: 'simvq' }, 'codebookUpdate'],
    ['running means with ibq', { quantizer: 'ibq' }, 'codebookUpdate'],
    ['cosine on every level', { quantizer: 'residual', distance: 'cosine' }, 'distance'],
    ['cosine and noise', { estimator: 'nsvq', codebookUpdate: 'gradient', distance: 'cosine' }, 'distance'],
    ['cosine and a grid', { quantizer: 'lfq', codeDim: 9, distance: 'cosine' }, 'distance'],
    ['sampling on residual codes', { quantizer: 'residual', estimator: 'gumbel' }, 'estimator'],
    ['an estimator that would do nothing', { quantizer: 'ibq', estimator: 'hessian' }, 'estimator'],
    ['groups that do not divide', { quantizer: 'grouped', groups: 5 }, 'groups'],
    ['fsq of another dimension', { quantizer: 'fsq', codebookSize: 1000 }, 'codeDim'],
    ['fsq of another size', { quantizer: 'fsq', codeDim: 4 }, 'codebookSize'],
    ['lfq of another size', { quantizer: 'lfq', codebookSize: 500, codeDim: 9 }, 'codeDim'],
    ['revival on a grid', { quantizer: 'lfq', codeDim: 9, deadCodeThreshold: 1 }, 'deadCodeThreshold'],
    ['orthogonality of running means', { orthogonalWeight: 1 }, 'orthogonalWeight'],
    [
      'rising temperature',
      { estimator: 'gumbel', temperature: 0.5, finalTemperature: 1 },
      'finalTemperature',
    ],
    [
      'more scores than memory',
      { quantizer: 'optvq', estimator: 'ste', codebookSize: 65_536, batchSize: 128 },
      'codebookSize',
    ],
  ])('%s', (_, changes, field) => {
    expect(errorsOf(changes)).toContain(field)
    expect(() => parseConfig(changes)).toThrow(GyreError)
  })
})

describe('warned about', () => {
  it.each<[string, ConfigInput, ConfigField]>([
    ['mixtures', { quantizer: 'soft_convex', codebookUpdate: 'gradient' }, 'quantizer'],
    [
      'mixtures of small random codes',
      { quantizer: 'soft_convex', codebookUpdate: 'gradient' },
      'codebookInit',
    ],
    ['signs without entropy', { quantizer: 'lfq', codeDim: 9 }, 'entropyWeight'],
    ['points between codes', { estimator: 'sf_diveq', codebookUpdate: 'gradient' }, 'estimator'],
    ['simvq with rotation', { quantizer: 'simvq', codebookUpdate: 'gradient' }, 'estimator'],
    ['an unbounded scale', { estimator: 'rotation_inverse_error', gammaBound: 0 }, 'gammaBound'],
    ['noise without revival', { estimator: 'nsvq', codebookUpdate: 'gradient' }, 'deadCodeThreshold'],
  ])('%s', (_, changes, field) => {
    expect(errorsOf(changes)).toEqual([])
    expect(warningsOf(changes)).toContain(field)
  })
})

describe('sizes', () => {
  it('counts the codes of all codebooks', () => {
    expect(totalCodes(defaultConfig)).toBe(512)
    expect(totalCodes(withChanges({ quantizer: 'residual', quantizerDepth: 3 }))).toBe(1536)
    expect(totalCodes(withChanges({ quantizer: 'grouped', groups: 4 }))).toBe(2048)
  })

  it('has the code dimension between the networks unless a projection says otherwise', () => {
    expect(latentWidth(defaultConfig)).toBe(32)
    expect(latentWidth(withChanges({ latentDim: 64 }))).toBe(64)
  })
})

describe('fields that do something', () => {
  const shown = (changes: ConfigInput): ConfigField[] =>
    configKeys.filter((key) => fieldApplies(key, withChanges(changes)))

  it('hides what belongs to other choices', () => {
    expect(shown({})).not.toContain('fsqLevels')
    expect(shown({})).not.toContain('noiseVariance')
    expect(shown({})).toContain('emaDecay')
    expect(shown({ quantizer: 'fsq' })).toContain('fsqLevels')
    expect(shown({ quantizer: 'fsq' })).not.toContain('estimator')
    expect(shown({ estimator: 'diveq' })).not.toContain('commitmentWeight')
    expect(shown({ codebookUpdate: 'gradient' })).not.toContain('emaDecay')
    expect(shown({ codebookUpdate: 'gradient', deadCodeThreshold: 1 })).toContain('emaDecay')
  })

  it('shows every field in some configuration, and a wrong one always', () => {
    const everywhere = new Set([
      ...estimatorIds.flatMap((estimator) =>
        shown({ estimator, codebookUpdate: 'gradient', network: 'cnn' }),
      ),
      ...quantizerIds.flatMap((quantizer) => shown({ quantizer, schedule: 'cosine', entropyWeight: 1 })),
      ...shown({ deadCodeThreshold: 1 }),
    ])
    expect([...everywhere].toSorted()).toEqual([...configKeys].toSorted())
    for (const quantizer of quantizerIds)
      for (const estimator of estimatorIds) {
        const config = withChanges({
          quantizer,
          estimator,
          distance: 'cosine',
          deadCodeThreshold: 1,
          orthogonalWeight: 1,
        })
        for (const { field } of checkConfig(config).errors)
          expect(fieldApplies(field, config), field).toBe(true)
      }
  })
})

it('refuses on the command line in the same words', () => {
  try {
    applySettings({}, ['estimator=diveq'])
    expect.unreachable()
  } catch (error) {
    expect(error).toBeInstanceOf(GyreError)
    expect((error as GyreError).message).toBe(
      checkConfig(withChanges({ estimator: 'diveq' })).errors[0]?.message,
    )
  }
})
