// verify: reference vectors from a file, computed by an engine and compared.
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { z } from 'zod'
import type { EngineWish } from '#shared/contract/common'
import { vectorKinds, type VectorKind, type VerifiedCase } from '#shared/contract/verify'
import { engineHelp, readEngine } from '../arguments'
import { exitCodes, wrongUsage } from '../errors'
import type { Context } from '../program'
import type { verifyResult } from '../results'
import { withService } from '../session'

type VerifyOptions = Partial<Record<VectorKind, string>> & { engine: EngineWish }

/** The one file that was named. */
function readChoice(options: VerifyOptions): { kind: VectorKind; file: string } {
  const chosen = vectorKinds.flatMap((kind) => {
    const file = options[kind]
    return file === undefined ? [] : [{ kind, file: resolve(file) }]
  })
  const [choice] = chosen
  if (choice && chosen.length === 1) return choice
  throw wrongUsage('Name one file: --estimators FILE, --layer FILE or --quantizers FILE.')
}

const show = (value: number | null): string => value?.toExponential(1) ?? 'not finite'

function caseLines({ name, dim, quantities, indicesEqual, pass, problem }: VerifiedCase): string[] {
  const figures = Object.entries(quantities).map(([quantity, { rel }]) => `${quantity} ${show(rel)}`)
  const indices = indicesEqual ? [] : ['indices differ']
  const words = [...figures, ...(problem === undefined ? indices : [problem])]
  return [`${pass ? '✓' : '✗'} ${name.padEnd(28)}${String(dim).padStart(4)}  ${words.join('  ')}`]
}

export function addVerify(program: Command, context: Context): void {
  context
    .command(program, 'verify', 'Compare the estimators and quantizers with reference vectors.')
    .option('--estimators <file>', 'gradient estimators on given vectors')
    .option('--layer <file>', 'a whole quantizer over several training steps')
    .option('--quantizers <file>', 'single quantizers, and vectors at the edges')
    .option('--engine <engine>', engineHelp, readEngine, 'auto')
    .action(async (options: VerifyOptions) => {
      const { kind, file } = readChoice(options)
      if (!(await stat(file).catch(() => null))?.isFile()) throw wrongUsage(`There is no file “${file}”.`)
      context.exitCode = await withService(context.surroundings, async ({ service, output, signal }) => {
        const { engine, pass, cases } = await service.engines.verify(options.engine, kind, file, signal)
        const result: z.infer<typeof verifyResult> = { engine: engine.id, pass, cases }
        const failed = cases.filter((one) => !one.pass).length
        await output.result(result, [
          'Largest error of each quantity, relative to its largest value:',
          ...cases.flatMap(caseLines),
          pass
            ? `${engine.name}: all ${cases.length} cases agree.`
            : `${engine.name}: ${failed} of ${cases.length} cases do not agree.`,
        ])
        return pass ? exitCodes.done : exitCodes.failed
      })
    })
}
