// Uploads from a browser: pieces of files, streamed into a folder of the library that becomes a dataset. Paths and
// sizes come from outside: every path must stay inside the upload, and everything is bounded.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { uploadChunkBytes } from '#shared/contract/datasets'
import { GyreError } from '#shared/contract/errors'
import { resolveInside } from '#main/data/index'

export interface UploadLimits {
  files: number
  fileBytes: number
  totalBytes: number
  /** Uploads open at a time. */
  open: number
  /** An upload that nobody touched for so long is thrown away. */
  idleMs: number
}

const defaultLimits: UploadLimits = {
  files: 2_000_000,
  fileBytes: 2 * 1024 ** 3,
  totalBytes: 512 * 1024 ** 3,
  open: 8,
  idleMs: 60 * 60 * 1000,
}

interface Upload {
  name: string
  folder: string
  /** What was received of each file, by its path as sent, and where it is stored. */
  files: Map<string, { bytes: number; target: string }>
  totalBytes: number
  touchedAt: number
  /** Pieces are written one after the other. */
  turn: Promise<unknown>
}

const refused = (path: string, why: string): GyreError =>
  new GyreError('invalid-input', `The file name ${JSON.stringify(path.slice(0, 100))} can't be used: ${why}.`)

const maxNameBytes = 255
/** What some disk reads as something else than a letter of a name; a `:` where it could name a drive or a stream. */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const unsafe = process.platform === 'win32' ? /[\u0000-\u001f\u007f\\<>:"|?*]/g : /[\u0000-\u001f\u007f\\]/g

const percent = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8)

/** `name` with `mark` before its ending, cut to what a disk takes as one name. */
function marked(name: string, mark: string): string {
  const end = /\.[\w-]{1,10}$/.exec(name)?.[0] ?? ''
  let stem = name.slice(0, name.length - end.length)
  while (Buffer.byteLength(`${stem}~${mark}${end}`) > maxNameBytes)
    stem = Array.from(stem).slice(0, -1).join('')
  return `${stem}~${mark}${end}`
}

/**
 * The path under which a file is stored: its own, with every character that a disk may not take written as `%0A` and
 * names that are too long cut. One odd name must not end an import. Refuses what leads elsewhere.
 */
function storedPath(path: string): string {
  if (path.startsWith('/') || /^[a-z]:(\/|$)/i.test(path)) throw refused(path, 'it is not relative')
  const parts = path.split('/').map((part) => {
    if (part === '' || part === '.' || part === '..') throw refused(path, 'it leads elsewhere')
    const plain = part.replaceAll(unsafe, percent)
    return Buffer.byteLength(plain) > maxNameBytes ? marked(plain, digestOf(part)) : plain
  })
  if (/^[a-z]:/i.test(parts[0] ?? '')) parts[0] = (parts[0] ?? '').replace(':', '%3A')
  return parts.join('/')
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

export class Uploads {
  readonly #uploads = new Map<string, Upload>()
  readonly #limits: UploadLimits

  constructor(
    private readonly root: string,
    limits: Partial<UploadLimits> = {},
  ) {
    this.#limits = { ...defaultLimits, ...limits }
  }

  async begin(name: string): Promise<string> {
    await this.#dropIdle()
    if (this.#uploads.size >= this.#limits.open)
      throw new GyreError('busy', 'Too many uploads at a time.', 'Wait until one has ended.')
    const id = `upload-${process.pid}-${randomBytes(8).toString('hex')}`
    const folder = join(this.root, id)
    await mkdir(folder, { recursive: true })
    this.#uploads.set(id, {
      name,
      folder,
      files: new Map(),
      totalBytes: 0,
      touchedAt: Date.now(),
      turn: Promise.resolve(),
    })
    return id
  }

  /**
   * Appends `data` to `path` of the upload; `offset` must be what was received of it so far. A name that the disk can't
   * take is stored under one like it.
   */
  async chunk(id: string, path: string, offset: number, data: Uint8Array): Promise<void> {
    const upload = this.#find(id)
    const stored = storedPath(path)
    const write = upload.turn.then(() => this.#write(upload, { path, stored }, offset, data))
    upload.turn = write.catch(() => undefined)
    await write
  }

  /** Ends the upload; its folder now belongs to the caller. */
  async finish(id: string): Promise<{ name: string; folder: string }> {
    const upload = this.#find(id)
    await upload.turn
    if (upload.files.size === 0) {
      await this.cancel(id)
      throw new GyreError('invalid-input', 'The upload holds no file.')
    }
    this.#uploads.delete(id)
    return { name: upload.name, folder: upload.folder }
  }

  async cancel(id: string): Promise<void> {
    const upload = this.#find(id)
    this.#uploads.delete(id)
    await upload.turn
    await rm(upload.folder, { recursive: true, force: true })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#uploads.keys()].map((id) => this.cancel(id)))
  }

  #find(id: string): Upload {
    const upload = this.#uploads.get(id)
    if (!upload)
      throw new GyreError('not-found', 'This upload is not open (any more).', 'Drop the folder again.')
    return upload
  }

  async #write(
    upload: Upload,
    { path, stored }: { path: string; stored: string },
    offset: number,
    data: Uint8Array,
  ): Promise<void> {
    const { files, fileBytes, totalBytes } = this.#limits
    const known = upload.files.get(path)
    if (data.length > uploadChunkBytes) throw new GyreError('too-large', 'This piece of a file is too large.')
    if (offset !== (known?.bytes ?? 0))
      throw new GyreError('invalid-input', `Pieces of “${path.slice(0, 100)}” did not come in order.`)
    if (offset + data.length > fileBytes)
      throw new GyreError('too-large', `“${path.slice(0, 100)}” is larger than an image may be.`)
    if (upload.totalBytes + data.length > totalBytes)
      throw new GyreError('too-large', 'The upload is too large.')
    if (!known && upload.files.size >= files)
      throw new GyreError('too-large', `An upload holds at most ${files} files.`)
    upload.touchedAt = Date.now()
    const { handle, target } = await openTarget(upload.folder, known?.target ?? null, { path, stored })
    try {
      let done = 0
      while (done < data.length)
        done += (await handle.write(data, done, data.length - done, offset + done)).bytesWritten
    } finally {
      await handle.close()
    }
    upload.files.set(path, { bytes: offset + data.length, target })
    upload.totalBytes += data.length
  }

  async #dropIdle(): Promise<void> {
    const limit = Date.now() - this.#limits.idleMs
    for (const [id, upload] of this.#uploads) if (upload.touchedAt < limit) await this.cancel(id)
  }
}

/** Opens the file behind a path: the one that has begun, or a new one that is nobody else's. */
async function openTarget(
  folder: string,
  known: string | null,
  { path, stored }: { path: string; stored: string },
): Promise<{ handle: FileHandle; target: string }> {
  const attempt = async (relative: string): Promise<{ handle: FileHandle; target: string }> => {
    const target = await resolveInside(folder, relative)
    if (known === null) await mkdir(dirname(target), { recursive: true })
    return { handle: await open(target, known === null ? 'wx' : 'r+'), target: relative }
  }
  try {
    return await attempt(known ?? stored).catch((error: unknown) => {
      // A twin under another spelling, where the disk does not tell them apart; or a path longer than it takes.
      const code = known === null ? codeOf(error) : undefined
      if (code === 'EEXIST') return attempt(join(dirname(stored), marked(basename(stored), digestOf(path))))
      if (code === 'ENAMETOOLONG') return attempt(marked(basename(stored), digestOf(path)))
      throw error
    })
  } catch (cause) {
    if (cause instanceof GyreError) throw cause
    throw new GyreError('invalid-input', `“${path.slice(0, 100)}” can't be stored here.`, undefined, {
      cause,
    })
  }
}

/** Removes what uploads of dead processes left. */
export async function sweepUploads(root: string): Promise<void> {
  for (const name of await readdir(root).catch(() => [])) {
    const pid = Number(/^upload-(\d+)-[0-9a-f]+$/.exec(name)?.[1] ?? NaN)
    if (!Number.isInteger(pid)) continue
    const folder = join(root, name)
    const startedAt = Date.now() - process.uptime() * 1000
    const info = await stat(folder).catch(() => null)
    const isOurs = pid === process.pid && (info?.mtimeMs ?? 0) >= startedAt
    if (!isOurs && (pid === process.pid || !isRunning(pid)))
      await rm(folder, { recursive: true, force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
