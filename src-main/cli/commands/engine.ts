// engine list, install, remove, test.
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { z } from 'zod'
import { engineId, type EngineId } from '#shared/contract/common'
import { exitCodes, wrongUsage } from '../errors'
import type { Context } from '../program'
import type { engineTestResult } from '../results'
import { finish, withService } from '../session'

function readEngineId(text: string): EngineId {
  const parsed = engineId.safeParse(text)
  if (parsed.success) return parsed.data
  throw wrongUsage(`There is no engine “${text}”.`, `Use one of: ${engineId.options.join(', ')}.`)
}

/** The engine that `--cuda` makes of one. */
function cudaVariant(id: EngineId): EngineId {
  if (id.startsWith('tensorflow-')) return 'tensorflow-cuda'
  throw wrongUsage(`The engine ${id} has no variant for NVIDIA graphics cards.`, 'Use tensorflow-cuda.')
}

export function addEngine(program: Command, context: Context): void {
  const engine = program.command('engine').description('See, install, remove and test what computes.')

  context.command(engine, 'list', 'Show every engine, and why it can or can’t run.').action(async () => {
    await withService(context.surroundings, async ({ service, output }) => {
      const all = await service.engines.list()
      const line = ({ id, available, version, device, reason, ...status }: (typeof all)[number]): string => {
        const size =
          status.installed && status.diskBytes > 0 ? `${(status.diskBytes / 1e9).toFixed(1)} GB on disk` : ''
        const badge = status.verifiedOnHardware ? '' : 'not verified on hardware'
        const facts = [device, size, badge].filter(Boolean).join(', ')
        return `${available ? '✓' : '✗'} ${id.padEnd(16)}${version.padEnd(10)}${facts}\n  ${reason}`
      }
      await output.result(all, all.map(line))
    })
  })

  const ids = engineId.options.join(', ')
  context
    .command(engine, 'install', 'Download and set up an engine.')
    .argument('<engine>', `one of ${ids}`)
    .option('--cuda', 'TensorFlow’s variant for NVIDIA graphics cards')
    .option('--wheels <folder>', 'use the wheel files in a folder, for a machine without a network')
    .option('--index <url>', 'ask this package index instead of the one that pip is set up for')
    .action(async (text: string, options: { cuda?: boolean; wheels?: string; index?: string }) => {
      const id = options.cuda ? cudaVariant(readEngineId(text)) : readEngineId(text)
      const wheelFolder = options.wheels === undefined ? undefined : resolve(options.wheels)
      context.exitCode = await withService(context.surroundings, async (session) => {
        const source = { wheelFolder, indexUrl: options.index }
        const status = await finish(session, session.service.engines.install(id, source))
        const ready = status.available
          ? 'is ready'
          : status.removable
            ? 'is set up, but does not run here'
            : 'is a part of Gyre, but does not run here'
        await session.output.result(status, [`${status.id} ${status.version} ${ready}. ${status.reason}`])
        return status.available ? exitCodes.done : exitCodes.failed
      })
    })

  context
    .command(engine, 'remove', 'Delete an installed engine.')
    .argument('<engine>', `one of ${ids}`)
    .action(async (text: string) => {
      const id = readEngineId(text)
      await withService(context.surroundings, async ({ service, output }) => {
        const before = (await service.engines.list()).find((status) => status.id === id)
        const status = await service.engines.remove(id)
        const gone = `${id} was removed: ${((before?.diskBytes ?? 0) / 1e9).toFixed(1)} GB are free again.`
        await output.result(status, [before?.installed ? gone : `${id} is not installed.`])
      })
    })

  context
    .command(
      engine,
      'test',
      'Compare an engine’s arithmetic with exact sums, and the estimators on it with reference vectors.',
    )
    .argument('[engine]', `one of ${ids}; by default the one that would be used`)
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
