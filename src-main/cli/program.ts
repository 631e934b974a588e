// The `gyre` command: its sub-commands, their help, and how they end. Each command lives in its own file under
// `commands/` and registers itself here; everything they do goes through the service.
import { Command, CommanderError } from 'commander'
import { addBench } from './commands/bench'
import { addDecode, addEncode, addExport } from './commands/codes'
import { addEngine } from './commands/engine'
import { addInspect } from './commands/inspect'
import { addServe } from './commands/serve'
import { addEvaluate, addResume, addTrain } from './commands/train'
import { addVerify } from './commands/verify'
import { endingOf, exitCodes } from './errors'
import type { Streams } from './output'
import type { Surroundings } from './session'

export interface Context {
  surroundings: Surroundings
  /** What the process ends with unless something is thrown. */
  exitCode: number
  /** What the parser has said last on stderr. */
  said: string
  /** Adds a sub-command that knows `--json`. */
  command(parent: Command, name: string, description: string): Command
}

const examples = `
Examples:
  gyre train --data sample --preset quick-look
  gyre train --data ~/Pictures --set imageSize=64 steps=2000 --out ./my-run
  gyre resume ./my-run --steps 4000
  gyre inspect ./my-run --json > codebook.json
  gyre export ./my-run --to safetensors --out ./my-model
  gyre serve --open

A RUN is a run folder's path or an id in the library. GYRE_HOME moves the library.
Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (the run is kept).`

export function createProgram(
  surroundings: Surroundings,
  streams: Streams,
): { program: Command; context: Context } {
  const program = new Command('gyre')
    .description('Train VQ-VAEs on your own images, with the rotation trick, and look into their codebooks.')
    .version(surroundings.version)
    .addHelpText('after', examples)
  // Sub-commands inherit both; errors are worded and printed in one place, by `run`.
  program.exitOverride().configureOutput({
    writeOut: (text) => streams.stdout.write(text),
    writeErr: (text) => (context.said = text),
  })
  const context: Context = {
    surroundings,
    exitCode: exitCodes.done,
    said: '',
    command: (parent, name, description) =>
      parent.command(name).description(description).option('--json', 'print one JSON object on stdout'),
  }
  const adders = [
    addTrain,
    addResume,
    addEvaluate,
    addInspect,
    addEncode,
    addDecode,
    addExport,
    addVerify,
    addBench,
    addEngine,
    addServe,
  ]
  for (const add of adders) add(program, context)
  return { program, context }
}

/** Runs one command line (`argv` without node and script) and resolves with the exit code. */
export async function run(
  argv: readonly string[],
  surroundings: Surroundings,
  streams: Streams,
): Promise<number> {
  const { program, context } = createProgram(surroundings, streams)
  if (argv.length === 0) {
    streams.stderr.write(program.helpInformation())
    streams.stderr.write(`${examples}\n`)
    return exitCodes.usage
  }
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return context.exitCode
  } catch (thrown) {
    // A command that needs one of its own, and was given none, answers with its help.
    if (thrown instanceof CommanderError && thrown.code === 'commander.help') {
      streams.stderr.write(context.said)
      return exitCodes.usage
    }
    const { exitCode, error } = endingOf(thrown)
    if (error) await surroundings.output.error(error)
    return error?.code === 'cancelled' ? exitCodes.interrupted : exitCode
  }
}
