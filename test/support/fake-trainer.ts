// Trainers that compute nothing, behind the real line: for what the service does with those that fail.
import type { Handlers } from '#shared/contract/define'
import type { GyreError } from '#shared/contract/errors'
import { trainerContract, type TrainerContract } from '#shared/contract/trainer'
import { memoryPair, serve } from '#shared/rpc/index'
import type { ChosenHost } from '../../src-main/service/trainer-host'

type TrainerHandlers = Partial<Handlers<TrainerContract>['trainer']>

export interface FakeTrainers extends ChosenHost {
  /** Trainers that were not ended. */
  alive: number
}

/** Ends the trainer as a process ends; what it was asked is never answered. */
type Die = (crash: GyreError) => Promise<never>

/** `handlersOf` gives those of each trainer; calls without one are never answered. */
export function fakeTrainers(handlersOf: (die: Die) => TrainerHandlers): FakeTrainers {
  const state: FakeTrainers = {
    alive: 0,
    fits: () => Promise.resolve(true),
    start: () => {
      const [near, far] = memoryPair()
      state.alive += 1
      let end: (crash: GyreError | null) => void = () => undefined
      const ended = new Promise<GyreError | null>((resolve) => (end = resolve))
      const die: Die = (crash) => {
        end(crash)
        far.close()
        return new Promise(() => undefined)
      }
      const trainer = new Proxy(handlersOf(die), {
        get: (given, name: keyof TrainerHandlers) => given[name] ?? (() => new Promise(() => undefined)),
      })
      serve(trainerContract, { trainer } as Handlers<TrainerContract>, far, { connectionId: 'parent' })
      let isAlive = true
      const kill = (): Promise<void> => {
        if (isAlive) state.alive -= 1
        isAlive = false
        end(null)
        near.close()
        return Promise.resolve()
      }
      return Promise.resolve({ isolation: 'process', pid: 1, transport: near, ended, kill })
    },
  }
  return state
}

/** What a trainer says of its engine. */
export const fakeEngine = (id: string) => ({ id, name: id, version: '1', device: 'CPU', reason: '' })
