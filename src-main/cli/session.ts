// One command's life with a service: opened with progress on stderr, interrupted in an orderly way, always closed.
import type { CheckpointRef } from '#shared/contract/common'
import { GyreError } from '#shared/contract/errors'
import { browserHost, createService, type Service } from '#main/service/index'
import { exitCodes } from './errors'
import type { Output } from './output'
import { progressTo } from './progress'

/** Where the command line finds the rest of Gyre. */
export interface Surroundings {
  libraryPath: string
  trainerEntry: string
  decoderEntry: string
  rendererFolder: string
  version: string
  output: Output
}

export interface Session {
  service: Service
  output: Output
  /** Aborted by Ctrl+C. */
  signal: AbortSignal
}

/** One Ctrl+C may arrive more than once: from the terminal, and passed on by npm and by `npm start`. */
const echoMs = 500

/**
 * Opens the service for `work` and closes it afterwards. The first Ctrl+C aborts `signal`, so that work can stop and
 * keep what it has; a second one ends the process at once.
 */
export async function withService<T>(
  surroundings: Surroundings,
  work: (session: Session) => Promise<T>,
  how: { evaluations?: boolean; ownProcess?: boolean } = {},
): Promise<T> {
  const { libraryPath, trainerEntry, decoderEntry, version, output } = surroundings
  const controller = new AbortController()
  let opened: Service | null = null
  let interruptedAt = 0
  const interrupt = (): void => {
    if (controller.signal.aborted) {
      if (performance.now() - interruptedAt > echoMs) process.exit(exitCodes.interrupted)
      return
    }
    interruptedAt = performance.now()
    controller.abort(new GyreError('cancelled', 'Interrupted.'))
    output.say(
      opened?.training.isBusy === true
        ? 'Stopping, and keeping what was learnt… (press Ctrl+C again to end at once)'
        : 'Stopping.',
    )
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    // A process of the trainer's own is for measuring its memory: nothing else may count.
    const isolation = how.ownProcess === true ? 'process' : undefined
    const service = await createService({
      libraryPath,
      trainerEntry,
      decoderEntry,
      isolation,
      version,
      host: browserHost,
    })
    opened = service
    try {
      service.bind(progressTo(output, how))
      return await work({ service, output, signal: controller.signal })
    } finally {
      await service.close()
    }
  } finally {
    output.endProgress()
    // The signals stay caught: an echo of Ctrl+C must not end a process that is ending in order.
  }
}

/**
 * Says when `checkpoint` passes over damaged ones. Called before anything slow: a checkpoint that is not there ends a
 * command before images are read or an engine is started.
 */
export async function sayDamage(
  { service, output }: Session,
  runId: string,
  checkpoint: CheckpointRef,
): Promise<void> {
  const notice = await service.runs.damageNotice(runId, checkpoint)
  if (notice !== null) output.say(notice)
}

/** Waits for a job; Ctrl+C cancels it. */
export async function finish<T>(
  { service, signal }: Session,
  job: { id: string; finished: Promise<T> },
): Promise<T> {
  const cancel = (): void => service.jobs.cancel(job.id)
  if (signal.aborted) cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    return await job.finished
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
