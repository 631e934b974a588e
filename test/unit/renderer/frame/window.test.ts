// @vitest-environment happy-dom
import { GyreError } from '#shared/contract/errors'
import { createMemoryHistory } from 'vue-router'
import { mount } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { afterEach, describe, expect, it } from 'vitest'
import { connect } from '../../../../src-renderer/api/client'
import App from '../../../../src-renderer/App.vue'
import { places } from '../../../../src-renderer/places'
import { makeRouter } from '../../../../src-renderer/router'
import { mountWindow, until, type MountedWindow } from '../../../support/mount-window'

let app: MountedWindow | undefined
afterEach(() => {
  app?.close()
  app = undefined
})

const keyOf = (name: string): string => String(places.findIndex((place) => place.name === name) + 1)

describe('the frame', () => {
  it('goes to a place by its number, up with Esc, and shows the keys with ?', async () => {
    app = await mountWindow('/data')
    const { router } = app
    await app.press(keyOf('settings'))
    await until(() => router.currentRoute.value.name === 'settings', 'Settings')
    await app.press(keyOf('design'))
    await until(() => router.currentRoute.value.name === 'design', 'Design')
    await app.press('Escape')
    await until(() => router.currentRoute.value.name === 'data', 'Data')
    await app.press('?')
    await until(() => document.querySelector('[role="dialog"]') !== null, 'the dialog')
    expect(app.text()).toContain('Find, where there is something to find')
    await app.press(keyOf('export'))
    expect(router.currentRoute.value.name).toBe('data')
    await app.press('Escape')
    await until(() => document.querySelector('[role="dialog"]') === null, 'the dialog to close')
    expect(router.currentRoute.value.name).toBe('data')
  })

  it('does not take digits from a field', async () => {
    app = await mountWindow('/runs')
    await until(() => document.querySelector('input[type="search"]') !== null, 'the list')
    await app.press('/')
    const field = app.find('input[type="search"]')
    expect(document.activeElement).toBe(field)
    field.dispatchEvent(new KeyboardEvent('keydown', { key: '1', bubbles: true }))
    expect(app.router.currentRoute.value.name).toBe('runs')
  })

  it('says in the status bar what runs, on what, and why', async () => {
    app = await mountWindow('/settings')
    const { client } = await import('../../../../src-renderer/api/client').then((api) => ({
      client: api.useClient(),
    }))
    await client.datasets.importSample()
    app.service.tick()
    await until(() => app?.find('footer').textContent.includes('import Emoji') === true, 'the job')
    expect(app.find('footer').textContent).toContain('(no NVIDIA driver found)')
    expect(app.find('footer').textContent).toMatch(/reading files 5\.0 %/)
    expect(app.find('footer').textContent).toContain('CPU 3 % · 182 MB')
  })

  it('speaks of tensors only while there is work, and of waiting for data only in training', async () => {
    app = await mountWindow('/settings')
    const load = { cpuPercent: 3, rssBytes: 182e6, tensors: 4321, dataWaitFraction: 0.25, engine: null }
    const seen = async (): Promise<string> => {
      app?.service.hub.emit('host', 'onLoad', load)
      await until(() => app?.find('footer').textContent.includes('182 MB') === true, 'the load')
      return app?.find('footer').textContent ?? ''
    }
    expect(await seen()).not.toMatch(/tensors|waiting for data/)
    const { useClient } = await import('../../../../src-renderer/api/client')
    await useClient().datasets.importSample()
    await until(() => app?.find('footer').textContent.includes('import Emoji') === true, 'the job')
    expect(await seen()).toContain('4,321 tensors')
    expect(await seen()).not.toContain('waiting for data')
  })

  it('tells when the connection is lost and when it is back', async () => {
    app = await mountWindow('/settings')
    app.service.hub.close()
    await until(() => app?.text().includes('Connection lost') === true, 'the notice')
    await until(() => app?.text().includes('Connection lost') === false, 'the connection')
  })

  it('shows one page when the address has no valid key', async () => {
    const connection = connect(() => Promise.reject(new GyreError('unauthorized', 'no')))
    const router = makeRouter(createMemoryHistory())
    await router.push('/data')
    const wrapper = mount(App, { global: { plugins: [createPinia(), router] } })
    await until(() => wrapper.text().includes('This address has no valid key.'), 'the sentence')
    expect(wrapper.find('nav').exists()).toBe(false)
    wrapper.unmount()
    connection.close()
  })

  it('shows an error of the service with its hint until it is dismissed', async () => {
    app = await mountWindow('/data', {
      datasets: [],
      failing: {
        'datasets.importSample': new GyreError('no-space', 'The disk is full.', 'Free some space.'),
      },
    })
    await until(() => app?.text().includes('Use the sample') === true, 'the empty state')
    app.button('Use the sample').click()
    await until(() => app?.text().includes('The disk is full.') === true, 'the message')
    expect(app.text()).toContain('Free some space.')
    app.button('Dismiss').click()
    await until(() => app?.text().includes('The disk is full.') === false, 'the message to go')
  })
})

describe('a place whose page can’t be fetched', () => {
  it('says so', async () => {
    app = await mountWindow('/data')
    const { router } = app
    router.removeRoute('runs')
    const component = (): Promise<never> => Promise.reject(new Error('gone'))
    router.addRoute({ path: '/runs', name: 'runs', component, meta: { title: 'Runs' } })
    await router.push('/runs').catch(() => undefined)
    await until(() => app?.text().includes('This place can’t be opened now.') === true, 'the message')
  })
})
