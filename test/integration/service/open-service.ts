// A real service over the in-memory transport, with a client as the window has one.
import { join } from 'node:path'
import type { Job } from '#shared/contract/common'
import type { RunFile } from '#shared/contract/files'
import { contract, type GyreClient } from '#shared/contract/index'
import { createClient, createHub, memoryPair, type Connection } from '#shared/rpc/index'
import { browserHost, createService, type Service, type ServiceOptions } from '#main/service/index'
import { repository } from '../../support/gyre-process'

export const trainerEntry = join(repository, 'dist', 'main', 'trainer.js')

export interface Opened {
  service: Service
  attach: () => GyreClient & Connection
  close: () => Promise<void>
}

export async function openService(
  libraryPath: string,
  options: Partial<ServiceOptions> = {},
): Promise<Opened> {
  const service = await createService({ libraryPath, trainerEntry, host: browserHost, ...options })
  const hub = createHub(contract, service.handlers)
  service.bind(hub.emit, () => hub.connections > 0)
  const attach = (): GyreClient & Connection => {
    const [ours, theirs] = memoryPair()
    hub.attach(theirs)
    return createClient(contract, ours)
  }
  return {
    service,
    attach,
    close: async () => {
      hub.close()
      await service.close()
    },
  }
}

/** Resolves with the run once it is as wanted, asking first and then listening. */
export function runWhen(client: GyreClient, id: string, wanted: (run: RunFile) => boolean): Promise<RunFile> {
  return new Promise((resolve, reject) => {
    const look = (run: RunFile | null): void => {
      if (!run || !wanted(run)) return
      off()
      resolve(run)
    }
    const off = client.runs.onChange((change) => {
      if (change.id === id) look(change.run)
    })
    client.runs.get({ id }).then(look, reject)
  })
}

/** Resolves when a job has ended; rejects with its words if it failed. */
export function jobDone(client: GyreClient, id: string): Promise<Job> {
  return new Promise((resolve, reject) => {
    const look = (job: Job | undefined): void => {
      if (job?.id !== id || job.status === 'running') return
      off()
      if (job.status === 'done') resolve(job)
      else reject(new Error(job.message))
    }
    const off = client.jobs.onChange(look)
    client.jobs.list().then((jobs) => look(jobs.find((job) => job.id === id)), reject)
  })
}

export async function importFolder(client: GyreClient, path: string): Promise<string> {
  const { jobId } = await client.datasets.importFolder({ path })
  return (await jobDone(client, jobId)).datasetId ?? ''
}

/** A model small enough for any engine. */
export const tinyConfig = {
  imageSize: 16,
  channels: 8,
  residualBlocks: 1,
  codebookSize: 16,
  codeDim: 4,
  batchSize: 4,
  evaluateEvery: 4,
  checkpointEvery: 4,
  validationFraction: 0.2,
} as const
