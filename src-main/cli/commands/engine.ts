// engine list, install, test.
import type { Command } from 'commander'
import type { z } from 'zod'
import { engineId } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { exitCodes, wrongUsage } from '../errors'
import type { Context } from '../program'
import type { engineTestResult } from '../results'
import { finish, withService } from '../session'

type EngineId = z.output<typeof engineId>

function readEngineId(text: string): EngineId {
  const parsed = engineId.safeParse(text)
  if (parsed.success) return parsed.data
  throw wrongUsage(`There is no engine “${text}”.`, `Use one of: ${engineId.options.join(', ')}.`)
}

export function addEngine(program: Command, context: Context): void {
  const engine = program.command('engine').description('See, install and test what computes.')

  context.command(engine, 'list', 'Show every engine, and why it can or can’t run.').action(async () => {
    await withService(context.surroundings, async ({ service, output }) => {
      const all = await service.engines.list()
      const line = ({ id, available, version, device, reason }: (typeof all)[number]): string =>
        `${available ? '✓' : '✗'} ${id.padEnd(16)}${version.padEnd(10)}${device}\n  ${reason}`
      await output.result(all, all.map(line))
    })
  })

  context
    .command(engine, 'install', 'Download and set up an engine.')
    .argument('<engine>', engineId.options.join(' or '))
    .option('--cuda', 'the variant for NVIDIA GPUs')
    .action(async (text: string, options: { cuda?: boolean }) => {
      const id = readEngineId(text)
      if (options.cuda)
        throw new GyreError(
          'unsupported',
          'This version of Gyre has no GPU engine yet.',
          'Install without --cuda.',
        )
      await withService(context.surroundings, async (session) => {
        const status = await finish(session, session.service.engines.install(id))
        await session.output.result(status, [`${status.id} ${status.version} is ready. ${status.reason}`])
      })
    })

  context
    .command(
      engine,
      'test',
      'Compare an engine’s arithmetic with exact sums, and the estimators on it with reference vectors.',
    )
    .argument('[engine]', `${engineId.options.join(' or ')}; by default the one that would be used`)
    .action(async (text: string | undefined) => {
      const wanted = text === undefined ? undefined : readEngineId(text)
      context.exitCode = await withService(context.surroundings, async ({ service, output }) => {
        const id = wanted ?? (await service.engines.choose('auto')).id
        const { pass, checks } = await service.engines.test(id)
        const result: z.infer<typeof engineTestResult> = { id, pass, checks }
        const line = ({ name, error, pass: good }: (typeof checks)[number]): string =>
          `${good ? '✓' : '✗'} ${name.padEnd(40)} relative error ${error.toExponential(1)}`
        await output.result(result, [
          ...checks.map(line),
          pass ? `${id} computes correctly.` : `${id} is wrong.`,
        ])
        return pass ? exitCodes.done : exitCodes.failed
      })
    })
}
