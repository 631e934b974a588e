import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  applySettings,
  checkConfig,
  configSchema,
  defaultConfig,
  diffConfig,
  fieldInfos,
  parseConfig,
  presets,
  rangeInWords,
  tokenGrid,
} from '#shared/config/index'
import { GyreError } from '#shared/contract/errors'

function refusal(act: () => unknown): GyreError {
  try {
    act()
  } catch (thrown) {
    if (thrown instanceof GyreError) return thrown
  }
  throw new Error('was not refused')
}

describe('fields', () => {
  it('describes every field with a label, a help sentence, a kind and a default', () => {
    expect(fieldInfos).toHaveLength(Object.keys(configSchema.shape).length)
    for (const info of fieldInfos) {
      expect(info.label, info.key).not.toBe('')
      expect(info.help, info.key).toMatch(/\.$/)
      expect(rangeInWords(info), info.key).not.toContain('undefined')
    }
  })

  it('reads kinds and ranges from the schema', () => {
    const by = (key: string) => fieldInfos.find((info) => info.key === key)
    expect(by('imageSize')).toMatchObject({ kind: 'int', min: 8, max: 512, multipleOf: 4, default: 64 })
    expect(by('estimator')).toMatchObject({ kind: 'choice' })
    expect(by('estimator')?.choices).toContain('rotation')
    expect(by('channelsIn')).toMatchObject({ kind: 'choice', choices: [3, 1] })
    expect(by('betas')).toMatchObject({ kind: 'number-pair' })
    expect(by('channelMultipliers')).toMatchObject({ kind: 'int-list', min: 1, max: 16 })
    expect(by('background')).toMatchObject({ kind: 'colour' })
    expect(by('flip')).toMatchObject({ kind: 'boolean' })
    expect(by('emaDecay')).toMatchObject({ kind: 'number', max: 0.9999 })
  })
})

describe('presets', () => {
  it.each(presets.map((preset) => [preset.id, preset] as const))(
    '%s is a valid configuration',
    (_, preset) => {
      const config = parseConfig(preset.config)
      expect(checkConfig(config)).toEqual({ errors: [], warnings: [] })
      expect(Number.isInteger(tokenGrid(config))).toBe(true)
    },
  )

  it('has the token grids of the paper', () => {
    const grid = (id: string) => tokenGrid(parseConfig(presets.find((preset) => preset.id === id)?.config))
    expect([grid('quick-look'), grid('paper-f16'), grid('paper-f4')]).toEqual([16, 16, 64])
  })
})

describe('settings', () => {
  it('reads numbers, lists, booleans, choices and dotted keys', () => {
    const config = applySettings({}, [
      'steps=500',
      'optimizer.learningRate=1e-4',
      'network=cnn',
      'channelMultipliers=1,2',
      'attention=',
      'flip=true',
      'betas=0.8,0.9',
      'channelsIn=1',
      'background=#102030',
    ])
    expect(config).toMatchObject({
      steps: 500,
      learningRate: 1e-4,
      channelMultipliers: [1, 2],
      attention: [],
      flip: true,
      betas: [0.8, 0.9],
      channelsIn: 1,
      background: '#102030',
    })
    expect(diffConfig(config, defaultConfig)).toContain('steps')
    expect(diffConfig(config, config)).toEqual([])
  })

  it.each([
    ['learnRate=1', 'learningRate'],
    ['codebooksize=4', 'codebookSize'],
    ['data.steps=4', 'steps'],
  ])('names the nearest key for %s', (setting, nearest) => {
    expect(refusal(() => applySettings({}, [setting])).hint).toContain(nearest)
  })

  it.each(['zzzz=1', 'colourfulness=2', 'x=1'])('guesses no key for %s', (setting) => {
    const { hint } = refusal(() => applySettings({}, [setting]))
    expect(hint).not.toContain('Did you mean')
    expect(hint).toContain('gyre train --help')
  })

  it.each([
    'steps=0',
    'steps=many',
    'steps=1.5',
    'steps=',
    'flip=yes',
    'estimator=best',
    'imageSize=66',
    'betas=1',
    'background=red',
  ])('refuses %s and says the range', (setting) => {
    const error = refusal(() => applySettings({}, [setting]))
    expect(error.code).toBe('invalid-input')
    expect(error.message).toContain(setting.split('=')[0])
    expect(error.hint).toMatch(/takes|Change/)
  })

  it('refuses rules across fields by name', () => {
    expect(
      refusal(() => applySettings({}, ['network=cnn', 'channelMultipliers=1,1,1,1,1,1', 'imageSize=48']))
        .hint,
    ).toContain('imageSize')
    expect(refusal(() => applySettings({}, ['network=cnn', 'attention=7'])).hint).toContain('attention')
  })
})

it('never throws anything but a GyreError on untrusted input', () => {
  const value = fc.dictionary(fc.constantFrom(...Object.keys(configSchema.shape), 'other'), fc.anything())
  fc.assert(
    fc.property(fc.oneof(value, fc.anything()), (input) => {
      try {
        parseConfig(input)
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(GyreError)
      }
    }),
  )
})
