// The built trainer (dist/main/trainer.js) where the service runs it, with a client of its contract.
import { resolve } from 'node:path'
import type { Client } from '#shared/contract/define'
import { trainerContract, type TrainerContract } from '#shared/contract/trainer'
import { createClient } from '#shared/rpc/index'
import { processHost } from '#main/service/process-host'
import { threadHost } from '#main/service/thread-host'
import type { TrainerHost, TrainerProcess } from '#main/service/trainer-host'

const entry = resolve(import.meta.dirname, '../../../dist/main/trainer.js')

/** The last one is imported when it is asked for: it wants Electron, or a stand-in. */
const hosts = {
  'worker thread': () => Promise.resolve(threadHost(entry)),
  process: () => Promise.resolve(processHost(entry)),
  'utility process': async () => (await import('#main/shell/utility-host')).utilityHost(entry),
} satisfies Record<string, () => Promise<TrainerHost>>

export type Place = keyof typeof hosts
export const places = Object.keys(hosts) as Place[]

export type TrainerClient = Client<TrainerContract>['trainer']

export interface StartedTrainer {
  trainer: TrainerClient
  host: TrainerProcess
  /** Ends its process as the operating system would. */
  signal: (signal: NodeJS.Signals) => void
}

export async function startBuilt(place: Place): Promise<StartedTrainer> {
  const host = await (await hosts[place]()).start()
  const signal = (name: NodeJS.Signals): void => {
    if (host.pid === null) throw new Error('It has no process of its own.')
    process.kill(host.pid, name)
  }
  return { trainer: createClient(trainerContract, host.transport).trainer, host, signal }
}
