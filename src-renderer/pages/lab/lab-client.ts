// The page's side of the Lab's worker: a promise for every call. Knows no Vue.
import { GyreError } from '#shared/contract/errors'
import type { LabAnswer, LabCalls } from './worker/protocol'

export type LabClient = {
  [Call in keyof LabCalls]: (payload: Parameters<LabCalls[Call]>[0]) => Promise<ReturnType<LabCalls[Call]>>
} & { close: () => void }

interface Waiting {
  resolve: (result: unknown) => void
  reject: (error: unknown) => void
}

/** What of a worker is used, so that tests need none. */
export interface LabPort {
  postMessage: (message: unknown) => void
  addEventListener: (type: 'message' | 'error', listener: (event: Event) => void) => void
  terminate: () => void
}

const broken = (message: string): GyreError =>
  new GyreError('internal', `The Lab’s calculator stopped: ${message}`, 'Leave the Lab and open it again.')

export function createLabClient(port: LabPort): LabClient {
  const waiting = new Map<number, Waiting>()
  let last = 0
  let ended: GyreError | null = null

  function failAll(error: GyreError): void {
    ended = error
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }

  port.addEventListener('message', (event) => {
    const answer = (event as MessageEvent<LabAnswer>).data
    const asked = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('error' in answer) asked?.reject(broken(answer.error))
    else asked?.resolve(answer.result)
  })
  port.addEventListener('error', (event) =>
    failAll(broken('message' in event ? String(event.message) : 'it could not be loaded.')),
  )

  function ask(call: keyof LabCalls, payload: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (ended) {
        reject(ended)
        return
      }
      last++
      waiting.set(last, { resolve, reject })
      port.postMessage({ id: last, call, payload })
    })
  }

  const client = {
    estimators: () => ask('estimators', undefined),
    pairs: (payload: unknown) => ask('pairs', payload),
    field: (payload: unknown) => ask('field', payload),
    start: (payload: unknown) => ask('start', payload),
    step: (payload: unknown) => ask('step', payload),
    finish: (payload: unknown) => ask('finish', payload),
    close: () => {
      failAll(new GyreError('cancelled', 'The Lab was left.'))
      port.terminate()
    },
  }
  return client as LabClient
}

export function startLab(): LabClient {
  return createLabClient(new Worker(new URL('./worker/lab-worker.ts', import.meta.url), { type: 'module' }))
}
