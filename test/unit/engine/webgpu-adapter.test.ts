import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { adapterName, isSoftware, softwareWanted, type AdapterInfo } from '#main/engine/webgpu/adapter'
import { askForAdapter } from '#main/engine/webgpu/probe'
import { temporaryFolder } from './fake-wheel'

const card: AdapterInfo = {
  vendor: 'nvidia',
  architecture: 'ada',
  device: 'NVIDIA RTX 4090',
  description: 'NVIDIA 550.54.15',
  isFallbackAdapter: false,
}

describe('what computes on the processor', () => {
  test.each<[string, Partial<AdapterInfo>]>([
    ['what says so itself', { isFallbackAdapter: true }],
    ['Chromium’s', { vendor: 'google', architecture: 'swiftshader' }],
    ['Mesa’s', { device: 'llvmpipe (LLVM 15.0.7, 256 bits)' }],
    ['Mesa’s other name', { description: 'lavapipe' }],
    ['Microsoft’s', { device: 'Microsoft Basic Render Driver' }],
  ])('%s', (_, change) => {
    expect(isSoftware({ ...card, ...change })).toBe(true)
  })

  test.each<[string, Partial<AdapterInfo>]>([
    ['NVIDIA’s', {}],
    ['AMD’s', { vendor: 'amd', architecture: 'rdna-3', device: 'AMD Radeon RX 7900 XTX (RADV NAVI31)' }],
    ['Intel’s', { vendor: 'intel', architecture: 'gen-12lp', device: 'Intel(R) Iris(R) Xe Graphics' }],
    ['Apple’s', { vendor: 'apple', architecture: 'common-3', device: 'Apple M1 Max', description: '' }],
  ])('is not %s card', (_, change) => {
    expect(isSoftware({ ...card, ...change })).toBe(false)
  })

  test('is asked for by the option before the variable', () => {
    expect(softwareWanted(undefined, {})).toBe(false)
    expect(softwareWanted(undefined, { GYRE_SOFTWARE_GPU: '1' })).toBe(true)
    expect(softwareWanted(undefined, { GYRE_SOFTWARE_GPU: '0' })).toBe(false)
    expect(softwareWanted(false, { GYRE_SOFTWARE_GPU: '1' })).toBe(false)
    expect(softwareWanted(true, {})).toBe(true)
  })
})

test('a card’s name, as well as it is known', () => {
  expect(adapterName(card)).toBe('NVIDIA RTX 4090 (NVIDIA 550.54.15)')
  expect(adapterName({ ...card, description: '' })).toBe('NVIDIA RTX 4090')
  expect(adapterName({ ...card, device: '', description: '' })).toBe('nvidia ada')
  expect(adapterName({ ...card, device: 'SwiftShader Device - ', description: 'driver 5.0 -' })).toBe(
    'SwiftShader Device (driver 5.0)',
  )
  expect(adapterName({ ...card, device: '', vendor: '', architecture: '', description: '' })).toBe(
    'Graphics card',
  )
})

/** The address of a module that stands for Dawn. */
async function fakeDawn(create: string): Promise<string> {
  const path = join(await temporaryFolder(), 'dawn.mjs')
  await writeFile(path, `export const create = () => (${create})`)
  return pathToFileURL(path).href
}

const withDevice = (info: string, device = 'Promise.resolve({ destroy() {} })'): string =>
  `{ requestAdapter: async () => ({ info: ${info}, requestDevice: () => ${device} }) }`

/** A busy machine takes its time to start a process. */
const limitMs = 120_000

describe('looking for a card in a process of its own', { timeout: 2 * limitMs }, () => {
  test('gives what it found, whatever else is printed', async () => {
    const dawn = await fakeDawn(
      withDevice(JSON.stringify(card), `(console.log('driver chatter'), Promise.resolve({ destroy() {} }))`),
    )
    expect(await askForAdapter({ dawn, limitMs })).toEqual(card)
  })

  test('no card, and a card that does not start', async () => {
    const none = await fakeDawn('{ requestAdapter: async () => null }')
    expect(await askForAdapter({ dawn: none, limitMs })).toMatch(/^No graphics card was found/)
    const broken = await fakeDawn(
      withDevice(JSON.stringify(card), `Promise.reject(new Error('no device today'))`),
    )
    expect(await askForAdapter({ dawn: broken, limitMs })).toMatch(/does not start here: .*no device today/)
  })

  test('a driver that crashes or hangs takes nothing with it', async () => {
    const crashing = await fakeDawn(`process.kill(process.pid, 'SIGSEGV')`)
    expect(await askForAdapter({ dawn: crashing, limitMs })).toMatch(/driver crashed.*SIGSEGV/)
    // Its thread is blocked; should nobody end it, it ends by itself.
    const blocked = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300_000)'
    const hanging = await fakeDawn(`{ requestAdapter: () => ${blocked} }`)
    expect(await askForAdapter({ dawn: hanging, limitMs: 700 })).toMatch(/took longer than 0\.7 s/)
  })

  test('a Dawn that is not there, or says nonsense', async () => {
    expect(await askForAdapter({ dawn: 'file:///nowhere/dawn.mjs', limitMs })).toMatch(/does not start here/)
    const nonsense = await fakeDawn(withDevice('{ vendor: 7 }'))
    expect(await askForAdapter({ dawn: nonsense, limitMs })).toMatch(/does not start here/)
  })
})
