import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isLocked, tryLock, waitForLock } from '../../../src-main/service/locks'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gyre-locks-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function folder(name: string): Promise<string> {
  const path = join(root, name)
  await mkdir(path)
  return path
}

describe('folder locks', () => {
  it('has one owner, and is free again after the release', async () => {
    const target = await folder('one')
    const first = await tryLock(target)
    expect(first).not.toBeNull()
    expect(await tryLock(target)).toBeNull()
    expect(await isLocked(target)).toBe(true)
    await first?.release()
    await first?.release()
    expect(await isLocked(target)).toBe(false)
    expect(await readdir(target)).toEqual([])
    const second = await tryLock(target)
    expect(second).not.toBeNull()
    await second?.release()
  })

  it('gives exactly one of six contenders the lock, a hundred times', async () => {
    for (let race = 0; race < 100; race++) {
      const target = await folder(`race-${race}`)
      const locks = await Promise.all(Array.from({ length: 6 }, () => tryLock(target)))
      expect(locks.filter((lock) => lock !== null)).toHaveLength(1)
    }
  })

  it('takes over from a process that is gone, and from one whose id was reused', async () => {
    for (const owner of ['999999999.0', `${process.pid}.1`]) {
      const target = await folder(`dead-${owner}`)
      await mkdir(join(target, '.lock'))
      const live = await tryLock(target)
      const [own = ''] = (await readdir(join(target, '.lock'))).filter((name) => name.endsWith('.held'))
      const host = own.split('.')[2] ?? ''
      await live?.release()
      await mkdir(join(target, '.lock'))
      await writeFile(join(target, '.lock', `${owner}.${host}.0000000000000000.held`), '')
      expect(await isLocked(target)).toBe(
        process.platform !== 'linux' && owner.startsWith(String(process.pid)),
      )
      if (process.platform === 'linux') expect(await tryLock(target)).not.toBeNull()
    }
  })

  it('stays held while a process that it is shared with lives, and not longer', async () => {
    const target = await folder('shared')
    const mine = await tryLock(target)
    const other = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    await once(other, 'spawn')
    await mine?.shareWith(other.pid ?? 0)
    // As if this process had been killed: its own files are those of a dead owner.
    for (const name of await readdir(join(target, '.lock')))
      if (name.startsWith(`${process.pid}.`))
        await rename(join(target, '.lock', name), join(target, '.lock', name.replace(/^\d+/, '999999999')))
    expect(await tryLock(target)).toBeNull()
    const gone = once(other, 'exit')
    other.kill('SIGKILL')
    await gone
    const next = await tryLock(target)
    expect(next).not.toBeNull()
    await next?.release()
  })

  it('is free for everybody after the release, whoever it was shared with', async () => {
    const target = await folder('shared and released')
    const lock = await tryLock(target)
    await lock?.shareWith(process.ppid)
    await lock?.release()
    expect(await isLocked(target)).toBe(false)
    expect(await readdir(target)).toEqual([])
  })

  it('believes an owner on another machine while its file is fresh', async () => {
    const target = await folder('elsewhere')
    await mkdir(join(target, '.lock'))
    await writeFile(join(target, '.lock', '1.0.ffffffffffff.0000000000000000.held'), '')
    expect(await tryLock(target)).toBeNull()
  })

  it('waits for its turn, and stops waiting when told to', async () => {
    const target = await folder('turn')
    const first = await tryLock(target)
    const waited: string[] = []
    const second = waitForLock(target, { onWait: () => void (waited.push('waits'), first?.release()) })
    const lock = await second
    expect(waited).toEqual(['waits'])
    const controller = new AbortController()
    const third = waitForLock(target, {
      signal: controller.signal,
      onWait: () => controller.abort(new Error('enough')),
    })
    await expect(third).rejects.toThrow()
    await lock.release()
  })
})
