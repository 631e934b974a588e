// Decoder threads, one a core, started when there is work and ended when there has been none for a while. A thread that
// ends unexpectedly costs nothing but time: its files are read again one by one, and only a file that ends a thread each
// time is named as unusable.
import { Worker } from 'node:worker_threads'
import { GyreError } from '#shared/contract/errors'
import type { FromDecoder, ToDecoder } from './decoder-protocol'
import type { Decoders } from './decoders'
import { createTurns, decoderThreads } from './limits'
import { imageBytes } from './pack-format'
import type { ReadFile, ReadRequest, ReadResult } from './read-files'

/** Requests in one thread: while one waits for the disk or the image library, another goes on. */
const requestsPerThread = 2
const idleMs = 20_000

export interface DecoderPool extends Decoders {
  /** Ends all threads; what is under way rejects. */
  close(): Promise<void>
}

export interface PoolOptions {
  /** The built decoder, dist/main/decoder.js. */
  entry: string | URL
  threads?: number
}

/** A thread ended before it had answered. */
class DecoderCrash extends Error {}

interface Task {
  request: ReadRequest
  /** Nothing else may be in its thread: what ends that is then known. */
  isAlone: boolean
  resolve: (result: ReadResult) => void
  reject: (error: unknown) => void
}

interface Thread {
  worker: Worker
  tasks: Map<number, Task>
  isReady: boolean
  /** Ends the turns it was given, should it die in one. */
  turnsOver: (() => void)[]
}

export function createDecoderPool({ entry, threads: most = decoderThreads }: PoolOptions): DecoderPool {
  const threads = new Set<Thread>()
  const queue: Task[] = []
  const turns = createTurns()
  let nextId = 0
  let isClosed = false
  let idle: NodeJS.Timeout | undefined

  function start(): Thread {
    // Workers write through the parent's streams: stdout belongs to the command line's result alone.
    const worker = new Worker(entry, { stdout: true, name: 'decoder' })
    worker.stdout.on('data', (chunk: Buffer) => process.stderr.write(chunk))
    const thread: Thread = { worker, tasks: new Map(), isReady: false, turnsOver: [] }
    let reason = ''
    worker.on('message', (message: FromDecoder) => receive(thread, message))
    worker.on('error', (error: unknown) => (reason = error instanceof Error ? error.message : String(error)))
    worker.on('exit', (code) => ended(thread, reason || `exit code ${code}`))
    threads.add(thread)
    return thread
  }

  const post = ({ worker }: Thread, message: ToDecoder): void => worker.postMessage(message)

  function receive(thread: Thread, message: FromDecoder): void {
    if (message.kind === 'ready') thread.isReady = true
    else if (message.kind === 'turn-wanted') {
      void turns(
        () =>
          new Promise<void>((over) => {
            if (threads.has(thread)) {
              thread.turnsOver.push(over)
              post(thread, { kind: 'turn' })
            } else over()
          }),
      )
    } else if (message.kind === 'turn-over') thread.turnsOver.shift()?.()
    else {
      const task = thread.tasks.get(message.id)
      thread.tasks.delete(message.id)
      if (message.kind === 'done')
        task?.resolve({
          files: JSON.parse(message.files) as ReadFile[],
          durationMs: message.durationMs,
        })
      else task?.reject(GyreError.fromShape(message.error))
      dispatch()
    }
  }

  function ended(thread: Thread, reason: string): void {
    threads.delete(thread)
    for (const over of thread.turnsOver) over()
    const tasks = [...thread.tasks.values()]
    if (isClosed) return
    if (!thread.isReady) {
      // No file is to blame, and a new thread would not start either.
      const error = new GyreError('internal', `The image decoder could not be started: ${reason}`)
      for (const task of [...tasks, ...queue.splice(0)]) task.reject(error)
      return
    }
    for (const task of tasks) task.reject(new DecoderCrash(reason))
    dispatch()
  }

  function freest(isAlone: boolean): Thread | null {
    const open = [...threads].filter(({ tasks }) => ![...tasks.values()].some((task) => task.isAlone))
    const [first] = open.sort((a, b) => a.tasks.size - b.tasks.size)
    if (first?.tasks.size === 0) return first
    if (threads.size < most) return start()
    return first !== undefined && !isAlone && first.tasks.size < requestsPerThread ? first : null
  }

  function dispatch(): void {
    clearTimeout(idle)
    for (;;) {
      const [next] = queue
      const thread = next ? freest(next.isAlone) : null
      const task = thread && queue.shift()
      if (!thread || !task) break
      const id = nextId++
      thread.tasks.set(id, task)
      post(thread, { kind: 'read', id, request: task.request })
    }
    const isIdle = [...threads].every(({ tasks }) => tasks.size === 0)
    // An idle pool keeps no process alive.
    for (const { worker, tasks } of threads) {
      if (tasks.size > 0) worker.ref()
      else worker.unref()
    }
    if (isIdle) idle = setTimeout(() => void endThreads(), idleMs).unref()
  }

  async function endThreads(): Promise<void> {
    const ending = [...threads]
    threads.clear()
    await Promise.all(ending.map(({ worker }) => worker.terminate()))
  }

  function submit(request: ReadRequest, isAlone = false): Promise<ReadResult> {
    if (isClosed) return Promise.reject(new GyreError('cancelled', 'Gyre is closing.'))
    return new Promise((resolve, reject) => {
      queue.push({ request, isAlone, resolve, reject })
      dispatch()
    })
  }

  return {
    parallel: most * requestsPerThread,
    read: (request) =>
      submit(request).catch((error: unknown) => {
        if (!(error instanceof DecoderCrash)) throw error
        return readOneByOne(request, (one) => submit(one, true), error.message)
      }),
    async close() {
      isClosed = true
      clearTimeout(idle)
      const error = new GyreError('cancelled', 'Gyre is closing.')
      const tasks = [...threads].flatMap((thread) => [...thread.tasks.values()])
      for (const task of [...tasks, ...queue.splice(0)]) task.reject(error)
      await endThreads()
    },
  }
}

/** Finds the file that ended a thread: each is read with nothing beside it, and once more, for chance may have been the cause. */
async function readOneByOne(
  request: ReadRequest,
  readAlone: (request: ReadRequest) => Promise<ReadResult>,
  crash: string,
): Promise<ReadResult> {
  const sizeBytes = imageBytes(request.transform)
  const pixels = new Uint8Array(request.into)
  const files: ReadFile[] = []
  let [images, durationMs] = [0, 0]
  for (const [i, file] of request.files.entries()) {
    const into = new SharedArrayBuffer(sizeBytes)
    const expected = request.expected?.slice(i, i + 1)
    const alone = { ...request, into, files: [file], ...(expected && { expected }) }
    const attempt = (): Promise<ReadResult> => readAlone(alone)
    const result = await attempt()
      .catch(again(attempt))
      .catch(again(() => Promise.resolve(endsTheDecoder)))
    if (result.files[0]?.kind === 'image') pixels.set(new Uint8Array(into), sizeBytes * images++)
    files.push(...result.files)
    durationMs += result.durationMs
  }
  return { files, durationMs, crash }
}

const again =
  (attempt: () => Promise<ReadResult>) =>
  (error: unknown): Promise<ReadResult> => {
    if (error instanceof DecoderCrash) return attempt()
    throw error
  }

const endsTheDecoder: ReadResult = {
  files: [{ kind: 'unusable', reason: 'corrupt', detail: 'The decoder ended each time it read this file.' }],
  durationMs: 0,
}
