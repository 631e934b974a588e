// Thumbnails of a dataset as image addresses: asked for in batches, newest wish first, the least recently
// wanted forgotten, and every address given back to the browser.
import { onScopeDispose, shallowReactive, watch, type Ref } from 'vue'
import { useClient } from '../api/client'
import { useToastsStore } from '../stores/toasts'

const batch = 48

/** An address for PNG bytes; `URL.revokeObjectURL` gives it back. */
export function pngUrl(bytes: Uint8Array): string {
  return URL.createObjectURL(new Blob([new Uint8Array(bytes)], { type: 'image/png' }))
}

export interface Thumbnails {
  /** Address of an image's thumbnail: undefined while it is not there, null where the file has gone. */
  url(index: number): string | null | undefined
  /** Says which are needed now. */
  want(indices: readonly number[]): void
}

/** @param sizePx Longer side of the thumbnails. */
export function useThumbnails(datasetId: Ref<string>, sizePx: number, capacity = 1200): Thumbnails {
  const client = useClient()
  const toasts = useToastsStore()
  const urls = shallowReactive(new Map<number, string | null>())
  const age = new Map<number, true>()
  let wanted: readonly number[] = []
  let generation = 0
  let busy = false

  function forget(index: number): void {
    const url = urls.get(index)
    if (url) URL.revokeObjectURL(url)
    urls.delete(index)
    age.delete(index)
  }

  function touch(index: number): void {
    age.delete(index)
    age.set(index, true)
  }

  async function pump(): Promise<void> {
    if (busy) return
    busy = true
    try {
      for (;;) {
        const asked = generation
        const indices = wanted.filter((index) => !urls.has(index)).slice(0, batch)
        if (indices.length === 0) break
        const images = await client.datasets.thumbnails({ id: datasetId.value, indices, size: sizePx })
        if (asked !== generation) continue
        indices.forEach((index, i) => {
          const image = images[i]
          urls.set(index, image ? pngUrl(image) : null)
          touch(index)
        })
        const keep = new Set(wanted)
        for (const index of age.keys()) {
          if (age.size <= capacity) break
          if (!keep.has(index)) forget(index)
        }
      }
    } catch (error) {
      // The dataset may have been removed meanwhile; scrolling asks again.
      toasts.fail(error)
    } finally {
      busy = false
    }
  }

  function clear(): void {
    generation += 1
    wanted = []
    for (const index of [...urls.keys()]) forget(index)
  }

  watch(datasetId, clear, { flush: 'sync' })
  onScopeDispose(clear)

  return {
    url: (index) => urls.get(index),
    want(indices) {
      wanted = indices
      for (const index of indices) if (urls.has(index)) touch(index)
      void pump()
    },
  }
}
