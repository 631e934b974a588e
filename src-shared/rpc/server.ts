// The serving side of one connection: parses every input by its schema before a handler sees it, answers
// with a result or a GyreError's shape, and aborts what it runs when the caller cancels or goes away.
import type { z } from 'zod'
import type { CallContext, CallSpec, ContractSpec, Emit, Handlers } from '../contract/define'
import { GyreError, toGyreError } from '../contract/errors'
import { requestShape, type Request, type Transport } from './message'

export interface ServeOptions {
  connectionId: string
  /** Calls of one connection that may run at a time; further ones are refused as `busy`. */
  maxCalls?: number
}

export interface Served<C extends ContractSpec> {
  /** Sends an event to this client, if it has subscribed. */
  emit: Emit<C>
  /** Aborts the calls under way and closes the transport. */
  dispose(): void
}

type AnyHandler = (input: unknown, context: CallContext) => unknown
type CallRequest = Extract<Request, { type: 'call' }>

/** Serves `handlers` over `transport` until it closes. What is not a request is ignored. */
export function serve<C extends ContractSpec>(
  contract: C,
  handlers: Handlers<C>,
  transport: Transport,
  options: ServeOptions,
): Served<C> {
  const { connectionId, maxCalls = 1000 } = options
  const running = new Map<number, AbortController>()
  const subscribed = new Set<string>()

  function run(request: CallRequest, signal: AbortSignal): unknown {
    const { topic, name } = request
    const spec = findSpec(contract, topic, name)
    if (spec?.kind !== 'call') throw new GyreError('not-found', `There is no call ${topic}.${name}.`)
    const input = parseInput(spec, `${topic}.${name}`, request.value)
    const members = (handlers as Record<string, Record<string, AnyHandler | undefined>>)[topic]
    if (!members?.[name]) throw new GyreError('unsupported', `${topic}.${name} is not served here.`)
    return members[name](input, { signal, connectionId })
  }

  async function answer(request: CallRequest): Promise<void> {
    const { id } = request
    // The id's owner would take a second answer for the first one's.
    if (running.has(id)) return
    if (running.size >= maxCalls) {
      transport.send({ type: 'error', id, error: { code: 'busy', message: 'Too many calls at a time.' } })
      return
    }
    const controller = new AbortController()
    running.set(id, controller)
    try {
      const value = await run(request, controller.signal)
      if (!controller.signal.aborted) transport.send({ type: 'result', id, value })
    } catch (thrown) {
      if (!controller.signal.aborted) {
        transport.send({ type: 'error', id, error: toGyreError(thrown).toShape() })
      }
    } finally {
      if (running.get(id) === controller) running.delete(id)
    }
  }

  function cancel(id: number): void {
    running.get(id)?.abort(new GyreError('cancelled', 'Cancelled.'))
    running.delete(id)
  }

  transport.onMessage((raw) => {
    const parsed = requestShape.safeParse(raw)
    if (!parsed.success) return
    const request = parsed.data
    switch (request.type) {
      case 'call':
        void answer(request)
        break
      case 'cancel':
        cancel(request.id)
        break
      case 'subscribe':
        if (findSpec(contract, request.topic, request.name)?.kind === 'event') {
          subscribed.add(`${request.topic}.${request.name}`)
        }
        break
      case 'unsubscribe':
        subscribed.delete(`${request.topic}.${request.name}`)
        break
    }
  })

  transport.onClose(() => {
    subscribed.clear()
    for (const id of [...running.keys()]) cancel(id)
  })

  return {
    emit: (topic, name, payload) => {
      const key = { topic: String(topic), name: String(name) }
      if (subscribed.has(`${key.topic}.${key.name}`))
        transport.send({ type: 'event', ...key, value: payload })
    },
    dispose: () => transport.close(),
  }
}

/** Own properties only, so that `constructor` and `__proto__` are unknown names like any other. */
function findSpec(
  contract: ContractSpec,
  topic: string,
  name: string,
): ContractSpec[string][string] | undefined {
  const members = Object.hasOwn(contract, topic) ? contract[topic] : undefined
  return members && Object.hasOwn(members, name) ? members[name] : undefined
}

function parseInput(spec: CallSpec, call: string, value: unknown): unknown {
  const parsed: z.ZodSafeParseResult<unknown> = spec.input.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const where = issue && issue.path.length > 0 ? `${issue.path.join('.')}: ` : ''
  throw new GyreError('invalid-input', `${call}: ${where}${issue?.message ?? 'not understood'}`)
}
