// What happens when the person closes the window or quits while something trains: stop and keep, keep
// running without a window, or not at all. Knows no Electron; a test drives it with functions.

export type ClosingChoice = 'stop' | 'background' | 'cancel'

export interface ClosingActions {
  /** How many runs wait, train or are paused in this process. */
  countActive(): Promise<number>
  /** Resolves once there are none. */
  whenIdle(): Promise<void>
  ask(active: number): Promise<ClosingChoice>
  closeWindow(): void
  /** Ends the service, which stops what trains and keeps it. */
  endService(): Promise<void>
  quit(): void
}

export interface Closing {
  /** The person wants to leave; resolves when it is decided and done. */
  leave(): Promise<void>
  /** The window is back: training that ends no longer ends the app. */
  windowOpened(): void
  readonly mayClose: boolean
  readonly mayQuit: boolean
}

export function createClosing(actions: ClosingActions): Closing {
  let state: 'open' | 'asking' | 'background' | 'ending' | 'ended' = 'open'
  // A function, because the compiler does not see that the state changes during an await.
  const is = (wanted: typeof state): boolean => state === wanted

  async function end(): Promise<void> {
    state = 'ending'
    try {
      await actions.endService()
    } finally {
      state = 'ended'
      actions.quit()
    }
  }

  async function decide(before: 'open' | 'background'): Promise<void> {
    const active = await actions.countActive()
    const choice = active === 0 ? 'stop' : await actions.ask(active)
    if (choice === 'stop') {
      await end()
    } else if (choice === 'cancel') {
      state = before
    } else {
      state = 'background'
      actions.closeWindow()
    }
  }

  /** An app without a window ends with its last run. */
  async function endWhenIdle(): Promise<void> {
    await actions.whenIdle()
    if (is('background')) await end()
  }

  return {
    async leave() {
      if (state !== 'open' && state !== 'background') return
      const before = state
      state = 'asking'
      try {
        await decide(before)
      } catch (thrown) {
        if (is('asking')) state = before
        throw thrown
      }
      if (is('background')) await endWhenIdle()
    },
    windowOpened() {
      if (state === 'background') state = 'open'
    },
    get mayClose() {
      return state === 'background' || state === 'ended'
    },
    get mayQuit() {
      return state === 'ended'
    },
  }
}
