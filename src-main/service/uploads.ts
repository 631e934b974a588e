// Uploads from a browser: pieces of files, streamed into a folder of the library that becomes a dataset. Paths and
// sizes come from outside: every path must stay inside the upload, and everything is bounded.
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
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
  /** Bytes received of each file. */
  files: Map<string, number>
  totalBytes: number
  touchedAt: number
  /** Pieces are written one after the other. */
  turn: Promise<unknown>
}

const refused = (path: string, why: string): GyreError =>
  new GyreError('invalid-input', `The file name ${JSON.stringify(path.slice(0, 100))} can't be used: ${why}.`)

/** Refuses what is not a plain relative path with `/` on every system. */
function checkPath(path: string): void {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f\\]/.test(path)) throw refused(path, 'it holds a character that is not allowed')
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) throw refused(path, 'it is not relative')
  for (const part of path.split('/')) {
    if (part === '' || part === '.' || part === '..') throw refused(path, 'it leads elsewhere')
    if (Buffer.byteLength(part) > 255) throw refused(path, 'a name in it is too long')
  }
}

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

  /** Appends `data` to `path` of the upload; `offset` must be what was received of it so far. */
  async chunk(id: string, path: string, offset: number, data: Uint8Array): Promise<void> {
    const upload = this.#find(id)
    checkPath(path)
    const write = upload.turn.then(() => this.#write(upload, path, offset, data))
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

  async #write(upload: Upload, path: string, offset: number, data: Uint8Array): Promise<void> {
    const { files, fileBytes, totalBytes } = this.#limits
    const received = upload.files.get(path)
    if (data.length > uploadChunkBytes) throw new GyreError('too-large', 'This piece of a file is too large.')
    if (offset !== (received ?? 0))
      throw new GyreError('invalid-input', `Pieces of “${path.slice(0, 100)}” did not come in order.`)
    if (offset + data.length > fileBytes)
      throw new GyreError('too-large', `“${path.slice(0, 100)}” is larger than an image may be.`)
    if (upload.totalBytes + data.length > totalBytes)
      throw new GyreError('too-large', 'The upload is too large.')
    if (received === undefined && upload.files.size >= files)
      throw new GyreError('too-large', `An upload holds at most ${files} files.`)
    upload.touchedAt = Date.now()
    const target = await resolveInside(upload.folder, path)
    if (received === undefined) await mkdir(dirname(target), { recursive: true })
    // `wx` also refuses a twin under another spelling, where the disk does not tell them apart.
    const handle = await open(target, received === undefined ? 'wx' : 'r+').catch((cause: unknown) => {
      throw new GyreError('invalid-input', `“${path.slice(0, 100)}” can't be stored here.`, undefined, {
        cause,
      })
    })
    try {
      let done = 0
      while (done < data.length)
        done += (await handle.write(data, done, data.length - done, offset + done)).bytesWritten
    } finally {
      await handle.close()
    }
    upload.files.set(path, offset + data.length)
    upload.totalBytes += data.length
  }

  async #dropIdle(): Promise<void> {
    const limit = Date.now() - this.#limits.idleMs
    for (const [id, upload] of this.#uploads) if (upload.touchedAt < limit) await this.cancel(id)
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
