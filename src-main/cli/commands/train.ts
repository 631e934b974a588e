// train, resume, evaluate: they share their result.
import type { Command } from 'commander'
import {
  validationMetrics,
  type CheckpointRef,
  type EngineWish,
  type ValidationMetrics,
} from '#shared/contract/common'
import {
  readCheckpoint,
  readConfig,
  readData,
  engineHelp,
  readEngine,
  wholeNumber,
  type ConfigArguments,
} from '../arguments'
import { checkConfig, configKeys, type RunConfig } from '#shared/config/index'
import type { SetAside } from '#main/service/index'
import { exitCodes } from '../errors'
import type { Context } from '../program'
import type { TrainResult } from '../results'
import { finish, sayDamage, withService, type Session } from '../session'

const maxSteps = 10_000_000
const maxSeed = 2_147_483_647

function validationLines(validation: ValidationMetrics | null): string[] {
  if (!validation) return ['No validation was made.']
  const { mse, psnr, usage, usagePer256, perplexity, quantizationError, commitmentLoss, images } = validation
  return [
    `Over ${images} validation images:`,
    `  mse                 ${mse.toFixed(5)}  (psnr ${psnr.toFixed(2)} dB)`,
    `  usage               ${(100 * usage).toFixed(1)} % of the codes (${(100 * usagePer256).toFixed(1)} % per 256 images)`,
    `  perplexity          ${perplexity.toFixed(1)}`,
    `  quantization error  ${quantizationError.toFixed(5)}`,
    `  commitment loss     ${commitmentLoss.toFixed(5)}`,
  ]
}

/** Says what will compute, and why. Where that can't be, the run itself ends with the reason. */
async function sayEngine({ service, output }: Session, id: string): Promise<void> {
  const { engineWish } = await service.store.read(id)
  const chosen = await service.engines.chosen(engineWish).catch(() => null)
  if (chosen) output.say(`Engine: ${chosen.name}. ${chosen.reason}`)
}

/** What the form would warn about, in the same words; nothing here stops a run. */
function sayWarnings({ output }: Session, config: RunConfig): void {
  for (const { field, message } of checkConfig(config).warnings) output.say(`Warning (${field}): ${message}`)
}

/** Waits for a run that trains here; Ctrl+C stops and keeps it. Prints the result and returns the exit code. */
async function follow({ service, output, signal }: Session, id: string): Promise<number> {
  const stop = (): void => void service.training.stop(id).catch(() => undefined)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  const ended = service.training.whenEnded(id)
  const run = ended ? await ended : await service.store.read(id)
  signal.removeEventListener('abort', stop)
  const folder = service.store.folderOf(id)
  const result: TrainResult = {
    run: folder,
    step: run.step,
    engine: run.engine?.id ?? null,
    // An evaluation of an earlier step must not pass for one of this step.
    validation: run.last?.step === run.step ? validationMetrics.parse(run.last) : null,
  }
  const { error } = run
  const lines = [`Run:   ${folder}`, `Step:  ${run.step} of ${run.config.steps} (${run.status})`]
  const engine = run.engine ? [`Engine: ${run.engine.name}. ${run.engine.reason}`] : []
  await output.result(error ? { ...result, error } : result, [
    ...lines,
    ...engine,
    ...validationLines(result.validation),
  ])
  if (error) output.say([error.message, error.hint ?? ''].join('\n').trim())
  if (signal.aborted) return exitCodes.interrupted
  return run.status === 'finished' ? exitCodes.done : exitCodes.failed
}

interface TrainOptions extends ConfigArguments {
  data: string
  engine: EngineWish
  from?: string
  out?: string
  name?: string
}

/** Every key, a few on a line. */
function settingsHelp(): string {
  const lines: string[] = []
  for (let i = 0; i < configKeys.length; i += 4) lines.push(`  ${configKeys.slice(i, i + 4).join(', ')}`)
  return lines.join('\n')
}

export function addTrain(program: Command, context: Context): void {
  context
    .command(program, 'train', 'Train a VQ-VAE on a folder of images.')
    .requiredOption('--data <folder|dataset>', 'a folder, a dataset’s id, or the word sample')
    .option('--preset <name>', 'starting point for the settings: quick-look, balanced, quality, …')
    .option('--config <file>', 'settings as JSON, over the preset’s')
    .option('--set <key=value...>', 'single settings, over the file’s: --set steps=500 codebookSize=256')
    .option('--steps <n>', 'how many batches to train on', wholeNumber(1, maxSteps))
    .option('--seed <n>', 'start of all randomness', wholeNumber(0, maxSeed))
    .option('--engine <engine>', engineHelp, readEngine, 'auto')
    .option('--from <run>', 'start from the best weights of another run')
    .option('--out <folder>', 'the run’s folder, new or empty (by default in the library)')
    .option('--name <name>', 'a name for the run')
    .addHelpText('after', `\nSettings for --set:\n${settingsHelp()}`)
    .action(async (options: TrainOptions) => {
      const config = await readConfig(options)
      context.exitCode = await withService(context.surroundings, async (session) => {
        sayWarnings(session, config)
        const { store, runs } = session.service
        const fromRun = options.from === undefined ? undefined : await store.find(options.from)
        if (options.out !== undefined) await store.checkFree(options.out)
        if (fromRun !== undefined) await sayDamage(session, fromRun, 'best')
        const datasetId = await readData(session, options.data, config)
        const { engine, name, out: folder } = options
        const run = await runs.create({ datasetId, config, engine, name, fromRun, folder })
        await sayEngine(session, run.id)
        return follow(session, run.id)
      })
    })
}

interface ResumeOptions {
  steps?: number
  data?: string
  checkpoint: CheckpointRef
}

export function addResume(program: Command, context: Context): void {
  context
    .command(program, 'resume', 'Go on with a run from its last checkpoint, or from an earlier one.')
    .argument('<run>', 'a run folder’s path, or an id in the library')
    .option(
      '--steps <n>',
      'train up to this step; a larger one trains a finished run on',
      wholeNumber(1, maxSteps),
    )
    .option('--data <folder|dataset>', 'where the run’s images are now, if this library does not know')
    .option(
      '--checkpoint <which>',
      'last, best or a step; what came later is set aside',
      readCheckpoint,
      'last',
    )
    .action(async (runText: string, options: ResumeOptions) => {
      context.exitCode = await withService(context.surroundings, async (session) => {
        const id = await session.service.store.find(runText)
        const { data, steps, checkpoint } = options
        if (checkpoint !== 'last') await sayDamage(session, id, checkpoint)
        const { config } = await session.service.store.read(id)
        if (data !== undefined) await readData(session, data, config)
        const onSetAside = (aside: SetAside): void =>
          session.output.say(
            `What came later (checkpoints of step ${aside.steps.join(', ')}, and all records) is kept in ${aside.folder}.`,
          )
        const back = checkpoint === 'last' ? undefined : { checkpoint, onSetAside }
        await session.service.runs.resume(id, steps, back)
        session.output.say(`Going on at step ${(await session.service.store.read(id)).step}.`)
        await sayEngine(session, id)
        return follow(session, id)
      })
    })
}

export function addEvaluate(program: Command, context: Context): void {
  context
    .command(program, 'evaluate', 'Measure a checkpoint on the run’s validation images, or on other images.')
    .argument('<run>', 'a run folder’s path, or an id in the library')
    .option('--data <folder|dataset>', 'measure on all of these images instead')
    .option('--checkpoint <which>', 'best, last or a step', readCheckpoint, 'best')
    .option('--engine <engine>', engineHelp, readEngine, 'auto')
    .action(async (runText: string, options: EvaluateOptions) => {
      await withService(context.surroundings, async (session) => {
        const { store, operations } = session.service
        const runId = await store.find(runText)
        await sayDamage(session, runId, options.checkpoint)
        const { config } = await store.read(runId)
        const datasetId =
          options.data === undefined ? undefined : await readData(session, options.data, config)
        const { checkpoint, engine } = options
        const found = await finish(session, operations.evaluate({ runId, checkpoint, datasetId, engine }))
        const { step, validation } = found
        const result: TrainResult = { run: store.folderOf(runId), step, engine: found.engine.id, validation }
        await session.output.result(result, [
          `Step ${step}, ${found.engine.name}.`,
          ...validationLines(validation),
        ])
      })
    })
}

interface EvaluateOptions {
  data?: string
  checkpoint: CheckpointRef
  engine: EngineWish
}
