// The model of a checkpoint, loaded for looking at: kept while the same one is asked for, freed when another is.
import type { RunConfig } from '#shared/config/index'
import type { CheckpointRef } from '#shared/contract/common'
import { Compiler, type NativeGraph } from '#main/engine/index'
import { createModel, type VqModel } from '#main/model/index'
import { findCheckpoint, readTensors, resolveCheckpoint } from './checkpoint'
import { compiledForward, eagerForward, type Forward } from './forward'
import { readRunConfig } from './run-folder'
import type { CheckpointState } from './state'
import { restore } from './tensors'

export interface LoadedModel {
  model: VqModel
  /** What it makes of images, compiled where the engine runs graphs. */
  forward: Forward
  config: RunConfig
  state: CheckpointState
}

interface Entry extends LoadedModel {
  key: string
  users: number
  kept: boolean
  /** Frees everything. */
  dispose: () => void
}

export class ModelCache {
  #current: Entry | null = null
  /** Loads come one after the other: two at a time would double the memory for nothing. */
  #turn: Promise<unknown> = Promise.resolve()
  readonly #graphs: () => NativeGraph | undefined

  /** `graphs` is what the engine that is loaded by then runs graphs with, if it does. */
  constructor(graphs: () => NativeGraph | undefined) {
    this.#graphs = graphs
  }

  /** Calls `work` with the model; it must not be used afterwards. */
  async use<T>(
    runFolder: string,
    checkpoint: CheckpointRef,
    work: (loaded: LoadedModel) => Promise<T>,
  ): Promise<T> {
    const turn = this.#turn.then(() => this.#acquire(runFolder, checkpoint))
    this.#turn = turn.catch(() => undefined)
    const entry = await turn
    try {
      return await work(entry)
    } finally {
      entry.users--
      this.#free(entry)
    }
  }

  /** Frees the kept model once nobody uses it. */
  clear(): void {
    const entry = this.#current
    this.#current = null
    if (!entry) return
    entry.kept = false
    this.#free(entry)
  }

  #free(entry: Entry): void {
    if (entry.users === 0 && !entry.kept) entry.dispose()
  }

  async #acquire(runFolder: string, ref: CheckpointRef): Promise<Entry> {
    const found = await findCheckpoint(runFolder, ref)
    const key = JSON.stringify([runFolder, found.step, found.sha256])
    if (this.#current?.key !== key) {
      this.clear()
      this.#current = await this.#load(runFolder, found.step, key)
    }
    this.#current.users++
    return this.#current
  }

  async #load(runFolder: string, step: number, key: string): Promise<Entry> {
    const config = await readRunConfig(runFolder)
    const { folder, state } = await resolveCheckpoint(runFolder, step)
    const tensors = await readTensors(folder, 'model')
    const model = createModel(config, config.seed)
    try {
      restore([...model.trainable, ...model.state], tensors)
    } catch (error) {
      model.dispose()
      throw error
    }
    const graphs = this.#graphs()
    const compiler = graphs && new Compiler(graphs, new Map([...model.trainable, ...model.state]))
    const forward = compiler ? compiledForward(compiler, model) : eagerForward(model)
    const dispose = (): void => {
      compiler?.close()
      model.dispose()
    }
    return { key, model, forward, config, state, users: 0, kept: true, dispose }
  }
}
