// Opening the browser: the opener, a script in place of the system's, must see neither token nor address in
// its arguments, and a file that only this user can read.
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openerOf, openInBrowser, redirectPage } from '#main/serve/open'

const address = 'http://127.0.0.1:7860/#token=Secret-Token_0123456789'
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gyre-open-test-'))
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
})

describe.skipIf(process.platform === 'win32')('openInBrowser', () => {
  it('hands over a private file that leads to the address', async () => {
    const seen = join(folder, 'arguments')
    const opener = join(folder, openerOf(process.platform)[0])
    await writeFile(opener, `#!/bin/sh\nprintf '%s' "$*" > '${seen}.part' && mv '${seen}.part' '${seen}'\n`)
    await chmod(opener, 0o755)
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH ?? ''}`)

    const remove = await openInBrowser(address)
    const file = await vi.waitFor(() => readFile(seen, 'utf8'), { timeout: 5000 })
    expect(file).not.toContain('Secret')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await stat(dirname(file))).mode & 0o777).toBe(0o700)
    expect(await readFile(file, 'utf8')).toContain(`content="0;url=${address}"`)
    await remove?.()
    await expect(stat(dirname(file))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('says when there is nothing to open it with, and leaves no file', async () => {
    vi.stubEnv('PATH', folder)
    vi.stubEnv('TMPDIR', folder)
    expect(await openInBrowser(address)).toBeNull()
    expect(await readdir(folder)).toEqual([])
  })
})

describe('redirectPage', () => {
  it('lets nothing out of its attribute', () => {
    expect(redirectPage('http://x/"><script>alert(1)</script>')).not.toContain('<script>')
  })
})
