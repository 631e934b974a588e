// Exports: a checkpoint as files for other tools, written into the library or a folder of the person's choice, and
// read back in pieces for a browser's download.
import { mkdir, open, stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { identifier, type CheckpointRef } from '#shared/contract/common'
import { uploadChunkBytes } from '#shared/contract/datasets'
import { GyreError } from '#shared/contract/errors'
import { exportSafetensors, type ExportedModel } from '#main/export/model'
import { resolveInside } from '#main/data/index'
import { resolveCheckpoint } from '#main/train/checkpoint'
import type { Layout } from './layout'
import { metricsCsv } from './metrics-csv'
import { refuseAmongImages } from './outputs'
import type { Runs } from './runs'
import type { RunStore } from './run-store'

export interface SafetensorsExport extends ExportedModel {
  exportId: string
  folder: string
  step: number
}

export class Exports {
  /** Exports of this process into folders outside the library. */
  readonly #elsewhere = new Map<string, string>()

  constructor(
    private readonly layout: Layout,
    private readonly store: RunStore,
    private readonly runs: Runs,
  ) {}

  async safetensors(runId: string, ref: CheckpointRef, folder?: string): Promise<SafetensorsExport> {
    if (folder !== undefined && !isAbsolute(folder))
      throw new GyreError('invalid-input', `“${folder}” is not a full path.`)
    const run = await this.store.read(runId)
    if (folder !== undefined) await refuseAmongImages(folder, run.dataset)
    const runFolder = this.store.folderOf(runId)
    await resolveInside(runFolder, 'checkpoints')
    const checkpoint = await resolveCheckpoint(runFolder, ref)
    const exportId = identifier.parse(`${runId.slice(0, 60)}-${checkpoint.step}`)
    const target = folder ?? join(this.layout.exports, exportId)
    await mkdir(target, { recursive: true }).catch((cause: unknown) => {
      throw new GyreError('permission', `The folder “${target}” can't be made.`, undefined, { cause })
    })
    if (folder !== undefined) this.#elsewhere.set(exportId, target)
    else this.#elsewhere.delete(exportId)
    const made = await exportSafetensors({
      checkpointFolder: checkpoint.folder,
      step: checkpoint.step,
      run,
      out: target,
    })
    return { exportId, folder: target, step: checkpoint.step, ...made }
  }

  /** At most 1 MiB of an exported file from `offset`; empty at its end. */
  async read(exportId: string, name: string, offset: number): Promise<Uint8Array> {
    if (name !== 'model.safetensors' && name !== 'config.json')
      throw new GyreError('not-found', 'This export holds no such file.')
    const folder = this.#elsewhere.get(exportId) ?? join(this.layout.exports, exportId)
    const path = await resolveInside(folder, name)
    if (!(await stat(path).catch(() => null))?.isFile())
      throw new GyreError('not-found', 'This export is not there any more.', 'Export again.')
    const handle = await open(path, 'r')
    try {
      const buffer = new Uint8Array(uploadChunkBytes)
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset)
      return buffer.slice(0, bytesRead)
    } finally {
      await handle.close()
    }
  }

  /** Every training record and evaluation of a run as a table. */
  async metricsCsv(runId: string): Promise<string> {
    return metricsCsv(await this.runs.metrics(runId, { afterStep: -1, maxPoints: 1_000_000 }))
  }
}
