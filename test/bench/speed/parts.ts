// What `npm run bench` measures, part by part. Each part is one file of raw figures, so that the whole can be stopped and
// goes on with the next part.
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseConfig, presets, type ConfigInput, type RunConfig } from '#shared/config/index'
import { describeNetwork } from '#main/model/describe'
import { writeNoisePack } from '#main/data/index'
import type { Python } from '../../support/python'
import { interleave, type Plan, type Result } from './interleave'
import { gyreSide, peerSide, type GyreSideOptions, type Side } from './sides'

export interface Context {
  /** A temporary folder. */
  folder: string
  python: Python
  /** Small sizes and few rounds: minutes instead of most of an hour. */
  quick: boolean
  say: (line: string) => void
}

export interface Point {
  /** What was changed, or 0 where nothing was. */
  value: number
  config: RunConfig
  parameters: number
  results: Result[]
}

export interface PartFigures {
  plan: Plan
  points: Point[]
}

export interface Part {
  id: string
  title: string
  /** Left out of the short version. */
  long?: boolean
  run: (context: Context) => Promise<PartFigures>
}

const settingsFile = resolve(import.meta.dirname, '../../../docs/benchmarks/ab/config.json')
const settings = JSON.parse(await readFile(settingsFile, 'utf8')) as ConfigInput

const small: ConfigInput = { ...settings, batchSize: 16, codebookSize: 512, codeDim: 64 }
const sizes: { id: string; title: string; config: ConfigInput; plan: Plan; long?: boolean }[] = [
  {
    id: 'small',
    title: 'Quick look’s network, 64×64, batch 16, 512 codes of 64 numbers',
    config: small,
    plan: { rounds: 12, turnMs: 1000 },
  },
  {
    id: 'codes',
    title: 'The same with 16,384 codes',
    config: { ...small, codebookSize: 16_384 },
    plan: { rounds: 8, turnMs: 1000 },
    long: true,
  },
  {
    id: 'paper',
    title:
      'The paper’s network (128 channels, multipliers 1, 2, 4), 128×128, batch 8, 8,192 codes of 3 numbers',
    config: {
      ...settings,
      network: 'cnn',
      channels: 128,
      channelMultipliers: [1, 2, 4],
      residualBlocks: 2,
      imageSize: 128,
      batchSize: 8,
      codebookSize: 8192,
      codeDim: 3,
    },
    plan: { rounds: 2, turnMs: 1, alone: true },
    long: true,
  },
]

const estimators = ['rotation', 'ste'] as const
const noiseImages = 1024
const peers = {
  plain: ['eager', 'channels-last', 'bf16', 'bf16+channels-last'],
  compiled: ['compile', 'compile+channels-last', 'compile+bf16+channels-last'],
  /** Those that are fast everywhere, for curves and repeats. */
  chosen: ['channels-last', 'bf16+channels-last'],
}
/** Steps of a minute each: only what can be the fastest. */
const peersOfPaper = ['eager', 'channels-last', 'compile+channels-last', 'bf16', 'bf16+channels-last']

const compiledFloat = { name: 'Gyre, compiled', kind: 'compiled' } as const
const compiledBf16 = { name: 'Gyre, compiled, bfloat16', kind: 'compiledBf16' } as const
const eager = { name: 'Gyre, eager', kind: 'eager' } as const

async function packFor(context: Context, config: RunConfig, count = noiseImages): Promise<string> {
  const { imageSize, resize, background, channelsIn } = config
  const folder = join(context.folder, `pack-${imageSize}-${count}`)
  if (existsSync(folder)) return folder
  return writeNoisePack(folder, count, { imageSize, resize, background, channelsIn })
}

async function gyreSides(
  context: Context,
  config: RunConfig,
  wanted: readonly Pick<GyreSideOptions, 'name' | 'kind' | 'engine'>[],
): Promise<Side[]> {
  const packed = await packFor(context, config)
  return wanted.map((one) => gyreSide({ ...one, config, packed }))
}

/** None where there is no PyTorch. What torch.compile made for one estimator is there for the next: only the first start is cold. */
async function peerSides(
  { folder, python }: Context,
  config: RunConfig,
  variants: readonly string[],
): Promise<Side[]> {
  if ('missing' in python) return []
  await mkdir(folder, { recursive: true })
  const configFile = join(folder, `${config.estimator}-${Math.random().toString(36).slice(2)}.json`)
  await writeFile(configFile, JSON.stringify(config))
  return variants.map((variant) => {
    const compiled = join(folder, `inductor-${config.network}-${config.codebookSize}-${variant}`)
    const { parameters } = describeNetwork(config)
    return peerSide({ python, variant, configFile, compiled, parameters })
  })
}

async function measure(
  { say }: Context,
  config: RunConfig,
  sides: readonly Side[],
  plan: Plan,
): Promise<Point> {
  const results = await interleave(sides, plan, say)
  return { value: 0, config, parameters: describeNetwork(config).parameters, results }
}

function stepParts(): Part[] {
  return sizes.flatMap(({ id, title, config: input, plan: full, long }) =>
    estimators.map((estimator): Part => ({
      id: `step-${id}-${estimator}`,
      title: `${title}; ${estimator}`,
      long: long ?? false,
      run: async (context) => {
        const config = parseConfig({ ...input, estimator })
        const plan = context.quick ? { ...full, rounds: 3 } : full
        const again = id === 'paper' && estimator === 'ste'
        const everything = context.quick ? peers.plain : [...peers.plain, ...peers.compiled]
        const variants = id !== 'paper' ? everything : again ? peers.chosen : peersOfPaper
        const kinds = again ? [compiledFloat, compiledBf16] : [eager, compiledFloat, compiledBf16]
        const sides = [
          ...(await gyreSides(context, config, kinds)),
          ...(await peerSides(context, config, variants)),
        ]
        return { plan, points: [await measure(context, config, sides, plan)] }
      },
    })),
  )
}

/** Processes that do the same lie up to two per cent apart, for as long as they live: one pair would say nothing. */
const pairs = 3

/** The same compiled step with either estimator, in short turns: a difference of one per cent must be seen. */
const rotationAndSte: Part = {
  id: 'rotation-and-ste',
  title: 'The rotation trick and the straight-through estimator',
  run: async (context) => {
    const plan = { rounds: context.quick ? 10 : 20, turnMs: 500 }
    const sides: Side[] = []
    for (let pair = 1; pair <= (context.quick ? 1 : pairs); pair++)
      for (const estimator of estimators) {
        const config = parseConfig({ ...small, estimator })
        const named = { name: `Gyre, compiled, ${estimator} ${pair}`, kind: 'compiled' } as const
        const theirs = await peerSides(context, config, ['channels-last'])
        sides.push(
          ...(await gyreSides(context, config, [named])),
          ...theirs.map((side) => ({ ...side, name: `${side.name}, ${estimator} ${pair}` })),
        )
      }
    return { plan, points: [await measure(context, parseConfig(small), sides, plan)] }
  },
}

/** A run with the preset's settings: TensorFlow in its ways, and WASM. */
const engines: Part = {
  id: 'engines',
  title: 'The preset “Quick look” on both engines',
  run: async (context) => {
    const config = parseConfig(presets.find(({ id }) => id === 'quick-look')?.config ?? {})
    const plan = { rounds: context.quick ? 2 : 5, turnMs: 2000 }
    const tensorflow = 'tensorflow-cpu' as const
    const sides = await gyreSides(context, config, [
      { name: 'TensorFlow, as a run trains', kind: 'usual', engine: tensorflow },
      { name: 'TensorFlow, eager', kind: 'eager', engine: tensorflow },
      { name: 'WASM, as a run trains', kind: 'usual', engine: 'wasm' },
    ])
    return { plan, points: [await measure(context, config, sides, plan)] }
  },
}

function curve(
  id: string,
  title: string,
  values: { all: number[]; quick: number[] },
  change: (value: number) => ConfigInput,
): Part {
  return {
    id: `curve-${id}`,
    title,
    run: async (context) => {
      const plan = { rounds: context.quick ? 2 : 3, turnMs: 700 }
      const points: Point[] = []
      for (const value of context.quick ? values.quick : values.all) {
        const config = parseConfig({ ...small, ...change(value) })
        context.say(`  ${value}`)
        const ours = await gyreSides(context, config, [compiledFloat, compiledBf16])
        const theirs = await peerSides(context, config, peers.chosen)
        // Two processes at a time: the largest points would not leave room for four.
        const results: Result[] = []
        for (const precision of ['float32', 'bfloat16']) {
          const pair = [...ours, ...theirs].filter((side) => side.precision === precision)
          results.push(...(await interleave(pair, plan, context.say)))
        }
        points.push({ value, config, parameters: describeNetwork(config).parameters, results })
      }
      return { plan, points }
    },
  }
}

/** Prepared images of noise, at 32 px so that a million of them are 3 GB on disk. */
const datasets: Part = {
  id: 'curve-dataset',
  title: 'Images in the dataset, at 32×32, batch 32',
  run: async (context) => {
    const plan = { rounds: 3, turnMs: 2000 }
    const points: Point[] = []
    for (const value of context.quick ? [1000, 10_000] : [1000, 10_000, 100_000, 1_000_000]) {
      const config = parseConfig({ ...small, imageSize: 32, batchSize: 32 })
      context.say(`  ${value}`)
      const packed = await packFor(context, config, value)
      const sides = [gyreSide({ ...compiledFloat, config, packed })]
      const results = await interleave(sides, plan, context.say)
      points.push({ value, config, parameters: describeNetwork(config).parameters, results })
    }
    return { plan, points }
  },
}

export const parts: readonly Part[] = [
  ...stepParts(),
  rotationAndSte,
  engines,
  curve(
    'batch',
    'Images in a batch',
    { all: [1, 2, 4, 8, 16, 32, 64, 128], quick: [1, 16] },
    (batchSize) => ({
      batchSize,
    }),
  ),
  curve(
    'codes',
    'Codes in the codebook',
    { all: [256, 1024, 4096, 16_384, 65_536], quick: [256, 4096] },
    (codebookSize) => ({ codebookSize }),
  ),
  curve(
    'image',
    'Width and height of an image',
    { all: [32, 64, 128, 256], quick: [32, 64] },
    (imageSize) => ({
      imageSize,
    }),
  ),
  datasets,
]
