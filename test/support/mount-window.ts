// Mounts the whole window over the fake service in a simulated page, at a given address.
import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { createMemoryHistory, type Router } from 'vue-router'
import { connect } from '../../src-renderer/api/client'
import App from '../../src-renderer/App.vue'
import { makeRouter } from '../../src-renderer/router'
import { createFakeService, type FakeOptions, type FakeService } from './fake-service'

export interface MountedWindow {
  window: VueWrapper
  service: FakeService
  router: Router
  /** Text of the whole page, with dialogs, in one line. */
  text(): string
  /** The first element that matches, anywhere in the page. */
  find(selector: string): HTMLElement
  /** The button with exactly this text or label. */
  button(name: string): HTMLElement
  /** Presses a key on the page. */
  press(key: string): Promise<void>
  close(): void
}

/** Lets messages, renders and short pauses pass until `check` holds; on a busy machine a page takes long to load. */
export async function until(check: () => boolean, what: string): Promise<void> {
  for (let round = 0; round < 4000; round += 1) {
    await flushPromises()
    if (check()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`waited in vain for ${what}; the page says: ${document.body.textContent.slice(0, 500)}`)
}

export async function mountWindow(path: string, options: FakeOptions = {}): Promise<MountedWindow> {
  const service = createFakeService(options)
  const connection = connect(() => service.open())
  const router = makeRouter(createMemoryHistory())
  await router.push(path)
  const window = mount(App, { attachTo: document.body, global: { plugins: [createPinia(), router] } })
  await until(() => connection.state === 'connected', 'the connection')
  await flushPromises()

  const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()
  const find = (selector: string): HTMLElement => {
    const found = document.querySelector<HTMLElement>(selector)
    if (!found) throw new Error(`nothing matches ${selector}`)
    return found
  }
  return {
    window,
    service,
    router,
    find,
    text: () => oneLine(document.body.textContent),
    button(name) {
      const found = [...document.querySelectorAll<HTMLElement>('button')].find(
        (one) => oneLine(one.textContent) === name || one.getAttribute('aria-label') === name,
      )
      if (!found) throw new Error(`no button "${name}"`)
      return found
    },
    async press(key) {
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
      await flushPromises()
    },
    close() {
      window.unmount()
      connection.close()
      document.body.innerHTML = ''
      localStorage.clear()
    },
  }
}
