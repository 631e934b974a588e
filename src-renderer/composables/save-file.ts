// Hands a file to the person: the browser's own download, which the desktop window has too.

export function saveBlob(blob: Blob, fileName: string): void {
  const url = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = url
  link.download = fileName
  document.body.append(link)
  link.click()
  link.remove()
  // The download has begun by then; freeing at once would cancel it in some browsers.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** A name of a run or chart as part of a file name. */
export function fileNameOf(...parts: string[]): string {
  return parts
    .join(' ')
    .replace(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[-.]+|-+$/g, '')
    .slice(0, 120)
}
