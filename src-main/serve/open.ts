// Opens the window's address in the person's browser. The address holds the token, and arguments of a
// process can be read by other users: so the browser is given a private file that leads on.
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const keptMs = 60_000

/**
 * Starts the system's opener. Resolves to a function that removes the private file (it also goes by itself
 * after a minute), or to null when there is no opener.
 */
export async function openInBrowser(address: string): Promise<(() => Promise<void>) | null> {
  // Only this user may enter the folder, and the file is made unreadable to others from its first byte.
  const folder = await mkdtemp(join(tmpdir(), 'gyre-open-'))
  const file = join(folder, 'gyre.html')
  await writeFile(file, redirectPage(address), { mode: 0o600, flag: 'wx' })
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  if (!(await startOpener(file))) {
    await remove()
    return null
  }
  setTimeout(() => void remove().catch(() => undefined), keptMs).unref()
  return remove
}

/** `address` comes from this server: letters, digits and `:/#=_-` only, but it is escaped all the same. */
export function redirectPage(address: string): string {
  const escaped = address.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
  return [
    '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">',
    `<meta http-equiv="refresh" content="0;url=${escaped}"><title>Gyre</title>`,
    `<p><a href="${escaped}">Open Gyre</a></p>\n`,
  ].join('\n')
}

/** The command that opens a file with the person's own browser. */
export function openerOf(platform: NodeJS.Platform): [command: string, ...before: string[]] {
  if (platform === 'darwin') return ['open']
  if (platform === 'win32') return ['cmd', '/c', 'start', '']
  return ['xdg-open']
}

function startOpener(file: string): Promise<boolean> {
  const [command, ...before] = openerOf(process.platform)
  return new Promise((resolve) => {
    const child = spawn(command, [...before, file], { detached: true, stdio: 'ignore' })
    child.once('error', () => resolve(false))
    child.once('spawn', () => {
      child.unref()
      resolve(true)
    })
  })
}
