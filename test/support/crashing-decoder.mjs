// A decoder thread for tests: answers like a real one, but ends at once, as after a crash, when a file's name says so.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort } from 'node:worker_threads'

const facts = { width: 8, height: 8, format: 'png', mode: 'srgb', hasAlpha: false }

parentPort.on('message', ({ kind, id, request }) => {
  if (kind !== 'read') return
  const pixels = new Uint8Array(request.into)
  const files = request.files.map((file, i) => {
    if (file.startsWith('crash-always')) process.exit(3)
    if (file.startsWith('crash-once')) {
      const marker = join(request.root, `${file}.seen`)
      if (!exists(marker)) {
        writeFileSync(marker, '')
        process.exit(4)
      }
    }
    const imageBytes = request.transform.imageSize ** 2 * request.transform.channelsIn
    pixels.fill(Number(file.match(/\d+/)?.[0] ?? 0), i * imageBytes, (i + 1) * imageBytes)
    return { kind: 'image', sizeBytes: 1, modifiedMs: 1, ...facts }
  })
  parentPort.postMessage({ kind: 'done', id, files: JSON.stringify(files), durationMs: 1 })
})
parentPort.postMessage({ kind: 'ready' })

function exists(path) {
  try {
    readFileSync(path)
    return true
  } catch {
    return false
  }
}
