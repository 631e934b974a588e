// Puts an exported file together from its pieces. Pure apart from the given `read`.
import { GyreError } from '#shared/contract/errors'

export interface ExportedFile {
  name: string
  sizeBytes: number
}

/**
 * The whole file, piece by piece.
 * @param read Returns the bytes from an offset, at most a piece; nothing at the end.
 * @param onProgress Bytes so far.
 * @throws `unreadable` when the file ends before `sizeBytes`.
 */
export async function readWhole(
  file: ExportedFile,
  read: (offset: number) => Promise<Uint8Array>,
  onProgress: (doneBytes: number) => void = () => undefined,
): Promise<Blob> {
  const parts: BlobPart[] = []
  let done = 0
  while (done < file.sizeBytes) {
    const piece = await read(done)
    if (piece.length === 0)
      throw new GyreError('unreadable', `${file.name} ended too early.`, 'Export it once more.')
    parts.push(new Uint8Array(piece))
    done += piece.length
    onProgress(done)
  }
  return new Blob(parts, { type: 'application/octet-stream' })
}

/** How to open the files in Python. */
export function pythonSnippet(codebookShape: readonly number[] | undefined): string {
  const shape = codebookShape ? `  # (${codebookShape.join(', ')})` : ''
  return [
    '# pip install safetensors numpy',
    'import json',
    'from safetensors.numpy import load_file',
    '',
    'tensors = load_file("model.safetensors")',
    'config = json.load(open("config.json"))',
    `codebook = tensors["codebook"]${shape}`,
    'print(codebook.shape, sorted(tensors))',
  ].join('\n')
}
