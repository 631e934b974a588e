// bench: what a training step costs on this machine.
import type { Command } from 'commander'
import type { z } from 'zod'
import type { EngineWish } from '#shared/contract/common'
import type { StepBench } from '#shared/contract/bench'
import { readConfig, engineHelp, readEngine, wholeNumber, type ConfigArguments } from '../arguments'
import type { Context } from '../program'
import type { stepBenchResult } from '../results'
import { finish, withService } from '../session'

const mostSteps = 10_000
const usualSteps = 30

interface StepOptions extends Omit<ConfigArguments, 'steps'> {
  engine: EngineWish
  steps: number
}

function lines({ eagerMs, dataWaitFraction, peakRssBytes, ...rest }: StepBench): string[] {
  const { compiledMs, compiledBf16Ms, reasons } = rest
  const compiled = (name: 'compiledMs' | 'compiledBf16Ms', ms: number | null): string =>
    ms === null
      ? `none: ${reasons[name] ?? ''}`
      : `${ms.toFixed(1)} ms  (${(ms / eagerMs).toFixed(2)} × eager)`
  return [
    'One training step, medians:',
    `  eager               ${eagerMs.toFixed(1)} ms`,
    `  compiled            ${compiled('compiledMs', compiledMs)}`,
    `  compiled, bfloat16  ${compiled('compiledBf16Ms', compiledBf16Ms)}`,
    `  waiting for images  ${(100 * dataWaitFraction).toFixed(1)} % of a run’s steps`,
    `  memory at most      ${(peakRssBytes / 1e6).toFixed(0)} MB`,
  ]
}

export function addBench(program: Command, context: Context): void {
  const bench = program.command('bench').description('Measure how fast this machine trains.')
  context
    .command(bench, 'step', 'Time a training step: eager, compiled, and compiled in bfloat16.')
    .option('--preset <name>', 'settings to measure with', 'quick-look')
    .option('--config <file>', 'settings as JSON, over the preset’s')
    .option('--set <key=value...>', 'single settings, over the file’s')
    .option('--engine <engine>', engineHelp, readEngine, 'auto')
    .option('--steps <n>', 'how many steps to time of each kind', wholeNumber(1, mostSteps), usualSteps)
    .action(async ({ engine: wish, steps, ...from }: StepOptions) => {
      const config = await readConfig(from)
      const work = async (session: Parameters<Parameters<typeof withService>[1]>[0]): Promise<void> => {
        const job = session.service.bench.step({ config, engine: wish, steps })
        const { engine, ...measured } = await finish(session, job)
        const result: z.infer<typeof stepBenchResult> = { engine: engine.id, ...measured }
        await session.output.result(result, [`${engine.name}, ${engine.device}.`, ...lines(measured)])
      }
      await withService(context.surroundings, work, { ownProcess: true })
    })
}
