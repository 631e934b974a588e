// Turns the operating system's error codes into Gyre's errors and into plain words. No file access here.
import { GyreError, type ErrorCode } from '#shared/contract/errors'

const known: Readonly<Record<string, { code: ErrorCode; words: string; hint?: string }>> = {
  ENOENT: { code: 'not-found', words: 'is not there', hint: 'Was it moved, or is a disk not connected?' },
  ENOTDIR: { code: 'not-found', words: 'is not there: a part of its path is a file' },
  EACCES: { code: 'permission', words: 'may not be opened', hint: 'Check its permissions.' },
  EPERM: { code: 'permission', words: 'may not be opened', hint: 'Check its permissions.' },
  EROFS: { code: 'permission', words: 'is on a read-only disk' },
  ENOSPC: {
    code: 'no-space',
    words: 'does not fit: the disk is full',
    hint: 'Make room on the disk and try again.',
  },
  EDQUOT: { code: 'no-space', words: 'does not fit: your share of the disk is used up' },
  EMFILE: { code: 'busy', words: 'can not be opened: too many files are open' },
  ENFILE: { code: 'busy', words: 'can not be opened: too many files are open' },
  EISDIR: { code: 'invalid-input', words: 'is a folder' },
  ELOOP: { code: 'unreadable', words: 'is a link that leads in a circle' },
  EIO: { code: 'unreadable', words: 'could not be read or written: the disk reports an error' },
  ENAMETOOLONG: { code: 'unreadable', words: 'has too long a path' },
}

/** The system's code (`ENOENT`, …) of a thrown value, or an empty string. */
export function systemCode(thrown: unknown): string {
  const code: unknown = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  return typeof code === 'string' ? code : ''
}

/** "is not there", "may not be opened", …: to be put after a file's name. */
export function systemWords(thrown: unknown): string {
  const code = systemCode(thrown)
  return known[code]?.words ?? `could not be read (${code === '' ? String(thrown) : code})`
}

/** A system error about `subject` as a GyreError; other errors come back as they are. */
export function describeFsError(thrown: unknown, subject: string): unknown {
  const entry = known[systemCode(thrown)]
  if (thrown instanceof GyreError || entry === undefined) return thrown
  return new GyreError(entry.code, `${subject} ${entry.words}.`, entry.hint, { cause: thrown })
}
