// encode, decode, export: a checkpoint's tokens and tensors as files.
import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import type { CheckpointRef, EngineWish } from '#shared/contract/common'
import { readCheckpoint, readData, engineHelp, readEngine } from '../arguments'
import type { Context } from '../program'
import type { DecodeResult, EncodeResult, ExportResult } from '../results'
import { finish, sayDamage, withService } from '../session'

const runHelp = 'a run folder’s path, or an id in the library'

interface CodeOptions {
  checkpoint: CheckpointRef
  engine: EngineWish
  out: string
}

export function addEncode(program: Command, context: Context): void {
  context
    .command(program, 'encode', 'Turn images into tokens and latents, as a safetensors file.')
    .argument('<run>', runHelp)
    .requiredOption('--data <folder|dataset>', 'a folder, a dataset’s id, or the word sample')
    .requiredOption('--out <file>', 'the .safetensors file to write')
    .option('--checkpoint <which>', 'best, last or a step', readCheckpoint, 'best')
    .option('--engine <engine>', engineHelp, readEngine, 'auto')
    .action(async (runText: string, options: CodeOptions & { data: string }) => {
      await withService(context.surroundings, async (session) => {
        const { store, operations } = session.service
        const runId = await store.find(runText)
        await sayDamage(session, runId, options.checkpoint)
        const datasetId = await readData(session, options.data, (await store.read(runId)).config)
        const { checkpoint, engine } = options
        const out = resolve(options.out)
        const made = await finish(session, operations.encode({ runId, checkpoint, datasetId, engine, out }))
        const { images, tokens, step } = made
        const result: EncodeResult = { run: store.folderOf(runId), checkpoint: step, images, tokens, out }
        await session.output.result(result, [`${images} images are ${tokens.join('×')} tokens in ${out}.`])
      })
    })
}

export function addDecode(program: Command, context: Context): void {
  context
    .command(program, 'decode', 'Turn tokens back into images.')
    .argument('<run>', runHelp)
    .requiredOption('--tokens <file>', 'a .safetensors file made by encode')
    .requiredOption('--out <folder>', 'folder for the PNG images')
    .option('--checkpoint <which>', 'best, last or a step', readCheckpoint, 'best')
    .option('--engine <engine>', engineHelp, readEngine, 'auto')
    .action(async (runText: string, options: CodeOptions & { tokens: string }) => {
      await withService(context.surroundings, async (session) => {
        const { store, operations } = session.service
        const runId = await store.find(runText)
        await sayDamage(session, runId, options.checkpoint)
        const { checkpoint, engine, tokens } = options
        const out = resolve(options.out)
        const made = await finish(session, operations.decode({ runId, checkpoint, engine, tokens, out }))
        const result: DecodeResult = {
          run: store.folderOf(runId),
          checkpoint: made.step,
          images: made.images,
          out,
        }
        await session.output.result(result, [`${made.images} images are in ${out}.`])
      })
    })
}

export function addExport(program: Command, context: Context): void {
  context
    .command(program, 'export', 'Write a checkpoint’s model as files that other tools read.')
    .argument('<run>', runHelp)
    .addOption(new Option('--to <format>', 'the format').choices(['safetensors']).default('safetensors'))
    .requiredOption('--out <folder>', 'folder for model.safetensors and config.json')
    .option('--checkpoint <which>', 'best, last or a step', readCheckpoint, 'best')
    .action(async (runText: string, options: { out: string; checkpoint: CheckpointRef }) => {
      await withService(context.surroundings, async (session) => {
        const { store, exports } = session.service
        const runId = await store.find(runText)
        await sayDamage(session, runId, options.checkpoint)
        const out = resolve(options.out)
        const { step, files, tensors } = await exports.safetensors(runId, options.checkpoint, out)
        const result: ExportResult = { run: store.folderOf(runId), checkpoint: step, out, files, tensors }
        const names = files.map(({ name, sizeBytes }) => `${name} (${(sizeBytes / 1e6).toFixed(1)} MB)`)
        await session.output.result(result, [`Step ${step} in ${out}: ${names.join(', ')}.`])
      })
    })
}
