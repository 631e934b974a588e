// The two sides of a comparison, each in a process of its own that takes training steps when it is told to: Gyre's built
// trainer, and test/peers/step.py.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { RunConfig } from '#shared/config/index'
import type { StepKind, TimedSteps } from '#shared/contract/bench'
import type { EngineWish } from '#shared/contract/common'
import { trainerContract } from '#shared/contract/trainer'
import { createClient } from '#shared/rpc/index'
import { processHost } from '#main/service/process-host'
import type { InstalledPython } from '../../support/python'

export type Taken = Omit<TimedSteps, 'waitMs'> & { waitMs?: number[] }

export interface OpenSide {
  take(steps: number): Promise<Taken>
  close(): Promise<void>
}

export interface Side {
  name: string
  owner: 'gyre' | 'pytorch'
  precision: 'float32' | 'bfloat16'
  /** Steps before the clock counts. */
  warmUp: number
  open(): Promise<OpenSide>
}

const trainerEntry = resolve(import.meta.dirname, '../../../dist/main/trainer.js')
const peerScript = resolve(import.meta.dirname, '../../peers/step.py')

export interface GyreSideOptions {
  name: string
  kind: StepKind
  config: RunConfig
  packed: string
  engine?: EngineWish
}

export function gyreSide({ name, kind, config, packed, engine = 'auto' }: GyreSideOptions): Side {
  return {
    name,
    owner: 'gyre',
    precision: kind === 'compiledBf16' ? 'bfloat16' : 'float32',
    warmUp: 2,
    open: async () => {
      const process = await processHost(trainerEntry).start()
      const { trainer } = createClient(trainerContract, process.transport)
      try {
        await trainer.load({ engine })
      } catch (error) {
        await process.kill()
        throw error
      }
      return {
        take: (steps) => trainer.bench({ config, packed, kind, steps }),
        close: () => process.kill(),
      }
    },
  }
}

export interface PeerSideOptions {
  python: InstalledPython
  /** Words of step.py joined by `+`, or `eager`. */
  variant: string
  /** File with the run's configuration. */
  configFile: string
  /** Where torch.compile keeps what it has compiled. */
  compiled: string
  /** Numbers in the model: the peer's must have as many. */
  parameters: number
}

export function peerSide({ python, variant, configFile, compiled, parameters }: PeerSideOptions): Side {
  const words = variant.split('+')
  return {
    name: `PyTorch, ${words.join(', ')}`,
    owner: 'pytorch',
    precision: words.includes('bf16') ? 'bfloat16' : 'float32',
    // torch.compile compiles again in the second step, which is the first with a codebook that has been started.
    warmUp: words.includes('compile') ? 3 : 2,
    open: () => {
      const child = spawn(python.command, [peerScript, configFile, variant], {
        env: { ...python.env, TORCHINDUCTOR_CACHE_DIR: compiled },
        stdio: ['pipe', 'pipe', 'pipe'],
      })
      let said = ''
      child.stderr.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4000)))
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const ended = once(child, 'close')
      const answer = async (): Promise<unknown> => {
        const line = await lines.next()
        if (line.done === true) throw new Error(`${peerScript} ended:\n${said}`)
        return JSON.parse(line.value)
      }
      const opened = answer().then((built) => {
        const theirs = (built as { parameters: number }).parameters
        if (theirs !== parameters)
          throw new Error(`It has ${theirs} parameters, and Gyre’s model ${parameters}.`)
      })
      return Promise.resolve({
        take: async (steps: number) => {
          await opened
          child.stdin.write(`run ${steps}\n`)
          return (await answer()) as Taken
        },
        close: async () => {
          child.stdin.end()
          await ended
        },
      })
    },
  }
}
