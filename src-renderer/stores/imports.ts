// Bringing images in: from a dropped or chosen folder, a path, or the sample. Goes on while other places are
// open; ends as an import job of the service.
import { GyreError } from '#shared/contract/errors'
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { useClient } from '../api/client'
import type { Dropped } from '../api/dropped-files'
import { firstNames, noneReadable, uploadFiles, type UploadProgress } from '../api/upload'
import { plural } from '../format'
import { useJobsStore } from './jobs'
import { useToastsStore } from './toasts'

export const useImportsStore = defineStore('imports', () => {
  const client = useClient()
  const jobs = useJobsStore()
  const toasts = useToastsStore()
  const upload = shallowRef<{ name: string; found: number; progress: UploadProgress | null } | null>(null)
  /** The dataset that was imported last from this window, to be shown. */
  const newest = ref<string | null>(null)
  let aborter: AbortController | undefined

  const running = computed(() => jobs.running.filter((job) => job.kind === 'import'))
  const busy = computed(() => upload.value !== null || running.value.length > 0)

  async function follow(start: () => Promise<{ jobId: string }>): Promise<void> {
    try {
      const { jobId } = await start()
      const job = await jobs.whenOver(jobId)
      if (job.status === 'done' && job.datasetId !== undefined) newest.value = job.datasetId
    } catch (error) {
      toasts.fail(error)
    }
  }

  const importSample = (): Promise<void> => follow(() => client.datasets.importSample())
  const importFolder = (path: string): Promise<void> => follow(() => client.datasets.importFolder({ path }))

  async function importDropped(dropped: Dropped): Promise<void> {
    const { localFolder, name } = dropped
    if (localFolder !== null) return importFolder(localFolder)
    if (upload.value) {
      toasts.say('One upload at a time: this one can start when the other is done.')
      return
    }
    const controller = new AbortController()
    aborter = controller
    upload.value = { name, found: 0, progress: null }
    await follow(async () => {
      try {
        const { files, unreadable } = await dropped.collect(
          (found) => (upload.value = { name, found, progress: null }),
          controller.signal,
        )
        if (files.length === 0 && unreadable.length > 0) throw noneReadable(name, unreadable)
        if (files.length === 0)
          throw new GyreError('invalid-input', `${name} has no files.`, 'Choose a folder with images in it.')
        const sent = await uploadFiles(client, name, files, {
          signal: controller.signal,
          onProgress: (progress) => (upload.value = { name, found: files.length, progress }),
        })
        const left = [...unreadable, ...sent.unreadable]
        if (left.length > 0)
          toasts.show(
            'error',
            `${plural(left.length, 'file')} could not be read; all others are imported.`,
            firstNames(left),
          )
        return { jobId: sent.jobId }
      } catch (thrown) {
        if (controller.signal.aborted) throw new GyreError('cancelled', 'The upload was cancelled.')
        throw thrown
      } finally {
        upload.value = null
      }
    })
  }

  return {
    upload,
    newest,
    running,
    busy,
    importSample,
    importFolder,
    importDropped,
    cancelUpload: () => aborter?.abort(),
  }
})
