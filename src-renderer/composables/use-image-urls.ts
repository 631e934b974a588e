// PNG bytes as addresses that an <img> can show. Addresses are kept for the newest few keys and freed when
// their key is dropped or the component goes.
import { onScopeDispose, shallowReactive } from 'vue'

/** @param keep How many keys stay in memory; the least recently asked goes first. */
export function useImageUrls(keep: number): {
  get: (key: string) => readonly string[] | undefined
  put: (key: string, images: readonly Uint8Array[]) => void
  clear: () => void
} {
  const urls = shallowReactive(new Map<string, readonly string[]>())

  function drop(key: string): void {
    for (const url of urls.get(key) ?? []) URL.revokeObjectURL(url)
    urls.delete(key)
  }

  function put(key: string, images: readonly Uint8Array[]): void {
    drop(key)
    urls.set(
      key,
      images.map((png) => URL.createObjectURL(new Blob([new Uint8Array(png)], { type: 'image/png' }))),
    )
    for (const oldest of urls.keys()) {
      if (urls.size <= keep) break
      drop(oldest)
    }
  }

  function clear(): void {
    for (const key of [...urls.keys()]) drop(key)
  }

  onScopeDispose(clear)
  return { get: (key) => urls.get(key), put, clear }
}
