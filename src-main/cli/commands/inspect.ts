// inspect: the codebook of a checkpoint, code by code.
import type { Command } from 'commander'
import type { CheckpointRef } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { readCheckpoint, readData, readNearest } from '../arguments'
import type { Context } from '../program'
import type { InspectResult } from '../results'
import { finish, sayDamage, withService } from '../session'

interface InspectOptions {
  data?: string
  checkpoint: CheckpointRef
  nearest: number
}

const shownCodes = 20

function lines(result: InspectResult): string[] {
  const { used, total, usage, perplexity, images, dead, deadWindow, codes } = result
  const most = [...codes].sort((a, b) => b.count - a.count).slice(0, shownCodes)
  return [
    `${used} of ${total} codes are used over ${images} images (usage ${(100 * usage).toFixed(1)} %).`,
    `Perplexity ${perplexity.toFixed(1)}: as varied as if that many codes were used equally often.`,
    `${dead} codes are dead: never chosen in ${deadWindow}.`,
    '',
    'code   count  nearest sample',
    ...most.map(({ index, count, nearest }) => {
      const [first] = nearest
      const where = first ? `${first.file} (row ${first.row}, column ${first.column})` : ''
      return `${String(index).padStart(4)} ${String(count).padStart(7)}  ${where}`
    }),
    ...(codes.length > shownCodes ? [`… ${codes.length - shownCodes} more codes with --json`] : []),
  ]
}

export function addInspect(program: Command, context: Context): void {
  context
    .command(program, 'inspect', 'Show which codes are used, which are dead, and what each one stands for.')
    .argument('<run>', 'a run folder’s path, or an id in the library')
    .option('--data <folder|dataset>', 'look at these images instead of the training images')
    .option('--checkpoint <which>', 'best, last or a step', readCheckpoint, 'best')
    .option('--nearest <n>', 'nearest samples per code, 0 to 64', readNearest, 8)
    .action(async (runText: string, options: InspectOptions) => {
      await withService(context.surroundings, async (session) => {
        const { store, inspector } = session.service
        const runId = await store.find(runText)
        await sayDamage(session, runId, options.checkpoint)
        const { config } = await store.read(runId)
        const datasetId =
          options.data === undefined ? undefined : await readData(session, options.data, config)
        const wish = { runId, checkpoint: options.checkpoint, datasetId }
        const step = await inspector.measure(wish, (started) => finish(session, started))
        // By its step: a run that goes on training may have another best one by now.
        const target = { ...wish, checkpoint: step }
        const summary = await inspector.summary(target)
        if (!summary)
          throw new GyreError('internal', 'The inspection has vanished.', 'Run the command again.')
        const nearest = await inspector.allNearest(target, options.nearest)
        const { step: checkpoint, images, codebookSize: total, used, perplexity, usage } = summary
        const { dead, deadWindow, counts, deadFlags } = summary
        const codes = Array.from(counts, (count, index) => ({
          index,
          count,
          dead: deadFlags[index] === 1,
          nearest: (nearest[index] ?? []).map(({ file, row, column, distance }) => ({
            file,
            row,
            column,
            distance,
          })),
        }))
        const figures = { images, total, used, perplexity, usage, dead, deadWindow }
        const result: InspectResult = { run: store.folderOf(runId), checkpoint, ...figures, codes }
        await session.output.result(result, lines(result))
      })
    })
}
