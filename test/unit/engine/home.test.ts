import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { engineHome, gyreHome } from '#main/engine/home'

describe('where Gyre keeps its things', () => {
  const home = homedir()
  test.each([
    ['linux', {}, join(home, '.local', 'share', 'gyre')],
    ['linux', { XDG_DATA_HOME: '/data' }, join('/data', 'gyre')],
    ['darwin', {}, join(home, 'Library', 'Application Support', 'Gyre')],
    ['win32', { APPDATA: '/roaming' }, join('/roaming', 'Gyre')],
    ['linux', { GYRE_HOME: '/elsewhere', XDG_DATA_HOME: '/data' }, '/elsewhere'],
  ])('on %s with %j', (platform, env, expected) => {
    expect(gyreHome(env, platform)).toBe(expected)
    expect(engineHome(env, platform)).toBe(join(expected, 'engines'))
  })

  test('engines can be moved alone', () => {
    const env = { GYRE_HOME: '/elsewhere', GYRE_ENGINES: '/shared/engines' }
    expect(engineHome(env, 'linux')).toBe('/shared/engines')
    expect(gyreHome(env, 'linux')).toBe('/elsewhere')
  })
})
