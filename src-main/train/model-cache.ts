// The model of a checkpoint, loaded for looking at: kept while the same one is asked for, freed when another is.
import type { RunConfig } from '#shared/config/index'
import type { CheckpointRef } from '#shared/contract/common'
import { createModel, type VqModel } from '#main/model/index'
import { findCheckpoint, readTensors, resolveCheckpoint } from './checkpoint'
import { readRunConfig } from './run-folder'
import type { CheckpointState } from './state'
import { restore } from './tensors'

export interface LoadedModel {
  model: VqModel
  config: RunConfig
  state: CheckpointState
}

interface Entry extends LoadedModel {
  key: string
  users: number
  kept: boolean
}

export class ModelCache {
  #current: Entry | null = null
  /** Loads come one after the other: two at a time would double the memory for nothing. */
  #turn: Promise<unknown> = Promise.resolve()

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
    if (entry.users === 0 && !entry.kept) entry.model.dispose()
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
    return { key, model, config, state, users: 0, kept: true }
  }
}
