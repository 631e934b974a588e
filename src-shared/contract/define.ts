// How a contract is written down: topics of calls and events, each with zod schemas, and the TypeScript
// types that follow from them. Knows no transport; `#shared/rpc` moves the messages.
import type { z } from 'zod'

export interface CallSpec<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly kind: 'call'
  readonly input: I
  readonly output: O
}

export interface EventSpec<P extends z.ZodType = z.ZodType> {
  readonly kind: 'event'
  readonly payload: P
}

export type TopicSpec = Readonly<Record<string, CallSpec | EventSpec>>
export type ContractSpec = Readonly<Record<string, TopicSpec>>

/** A call: one input object (`z.void()` for none), one output; long calls can be cancelled by the caller. */
export function call<I extends z.ZodType, O extends z.ZodType>(input: I, output: O): CallSpec<I, O> {
  return { kind: 'call', input, output }
}

/** An event that the service sends to every attached client. By convention its name begins with `on`. */
export function event<P extends z.ZodType>(payload: P): EventSpec<P> {
  return { kind: 'event', payload }
}

export interface CallOptions {
  /** Aborting it cancels the call on the other side. */
  signal?: AbortSignal
}

export interface CallContext {
  /** Aborted when the caller cancels or goes away. */
  signal: AbortSignal
  /** Which connection asked; stable for its life. */
  connectionId: string
}

type Names<T extends TopicSpec, Kind> = { [K in keyof T]: T[K] extends { kind: Kind } ? K : never }[keyof T]

type Caller<S> =
  S extends CallSpec<infer I, infer O>
    ? undefined extends z.input<I>
      ? (input?: undefined, options?: CallOptions) => Promise<z.output<O>>
      : (input: z.input<I>, options?: CallOptions) => Promise<z.output<O>>
    : never

type Subscriber<S> =
  S extends EventSpec<infer P> ? (listener: (payload: z.output<P>) => void) => () => void : never

type Handler<S> =
  S extends CallSpec<infer I, infer O>
    ? (input: z.output<I>, context: CallContext) => Promise<z.input<O>> | z.input<O>
    : never

/** What a consumer of the contract holds: `client.runs.list()`, `client.runs.onChange(listener)`. */
export type Client<C extends ContractSpec> = {
  [T in keyof C]: { [K in Names<C[T], 'call'>]: Caller<C[T][K]> } & {
    [K in Names<C[T], 'event'>]: Subscriber<C[T][K]>
  }
}

/** What a provider of the contract implements: one function per call. */
export type Handlers<C extends ContractSpec> = {
  [T in keyof C]: { [K in Names<C[T], 'call'>]: Handler<C[T][K]> }
}

/** Sends an event: `emit('runs', 'onChange', payload)`. */
export type Emit<C extends ContractSpec> = <T extends keyof C, K extends Names<C[T], 'event'>>(
  topic: T,
  name: K,
  payload: C[T][K] extends EventSpec<infer P> ? z.input<P> : never,
) => void
