// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from 'vitest'
import { splitHash, takeToken } from '../../../../src-renderer/api/token'

describe('splitHash', () => {
  it.each([
    ['', null, ''],
    ['#/data', null, '#/data'],
    ['#token=abc', 'abc', ''],
    ['#token=abc&/train/x', 'abc', '#/train/x'],
    ['#/train/x?token=abc', 'abc', '#/train/x'],
    ['#/train/x?token=abc&tab=2', 'abc', '#/train/x?tab=2'],
    ['#/train/x?tab=2&token=abc', 'abc', '#/train/x?tab=2'],
    ['#/runs/mytoken=abc', null, '#/runs/mytoken=abc'],
  ])('%s', (hash, token, rest) => expect(splitHash(hash)).toEqual({ token, rest }))
})

describe('takeToken', () => {
  beforeEach(() => {
    sessionStorage.clear()
    history.replaceState(null, '', '#')
  })

  it('takes the token out of the address and keeps it for the tab', () => {
    history.replaceState(null, '', '#token=secret-1')
    expect(takeToken()).toBe('secret-1')
    expect(location.href).not.toContain('secret-1')
    expect(takeToken()).toBe('secret-1')
  })

  it('keeps the route', () => {
    history.replaceState(null, '', '#/train/run-1?token=s')
    takeToken()
    expect(location.hash).toBe('#/train/run-1')
  })

  it('prefers a newer token', () => {
    sessionStorage.setItem('gyre-token', 'old')
    history.replaceState(null, '', '#token=new')
    expect(takeToken()).toBe('new')
  })

  it('is empty when there never was one', () => expect(takeToken()).toBe(''))
})
