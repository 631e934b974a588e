// Entry of the command line (dist/main/cli.js). Never imports Electron.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gyreHome } from '#main/service/index'
import { Output } from './output'
import { run } from './program'

// stdout is for results alone, whatever a library prints.
console.log = console.error
console.info = console.error
console.debug = console.error

const folder = dirname(fileURLToPath(import.meta.url))
const { version } = JSON.parse(readFileSync(join(folder, '..', '..', 'package.json'), 'utf8')) as {
  version: string
}
const argv = process.argv.slice(2)
const streams = { stdout: process.stdout, stderr: process.stderr }
// A reader that goes away (`gyre … | head`) is no reason for a stack trace.
process.stdout.on('error', () => process.exit(0))

const exitCode = await run(
  argv,
  {
    libraryPath: gyreHome(),
    trainerEntry: join(folder, 'trainer.js'),
    decoderEntry: join(folder, 'decoder.js'),
    rendererFolder: join(folder, '..', 'renderer'),
    version,
    output: new Output(streams, argv.includes('--json')),
  },
  streams,
)
// Native engines may keep threads alive; everything is written and closed by now.
process.exit(exitCode)
