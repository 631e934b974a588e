// Events of the service on their way out. Any number of listeners (the hub of the window's connections, a command
// line) may be bound; with none, events are dropped: nothing in the service waits for a listener.
import type { GyreEmit } from '#shared/contract/index'

export interface Binding {
  emit: GyreEmit
  /** Whether someone is looking; costly samples are taken only then. */
  isAttached: () => boolean
}

export class Bus {
  readonly #bindings = new Set<Binding>()

  /** Adds a listener and returns the function that removes it. */
  bind(emit: GyreEmit, isAttached: () => boolean = () => true): () => void {
    const binding = { emit, isAttached }
    this.#bindings.add(binding)
    return () => {
      this.#bindings.delete(binding)
    }
  }

  get isAttached(): boolean {
    return [...this.#bindings].some((binding) => binding.isAttached())
  }

  readonly emit: GyreEmit = (topic, name, payload) => {
    for (const binding of this.#bindings) binding.emit(topic, name, payload)
  }
}
