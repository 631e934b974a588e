// @vitest-environment happy-dom
// Who may use Space and the arrow keys.
import { afterEach, describe, expect, it } from 'vitest'
import { ownsKeys } from '../../../../src-renderer/composables/owns-keys'

const first = (html: string): Element | null => {
  document.body.innerHTML = html
  return document.body.firstElementChild
}
afterEach(() => {
  document.body.innerHTML = ''
})

describe('ownsKeys', () => {
  it.each(['<button></button>', '<input>', '<select></select>', '<a href="#" role="tab"></a>'])(
    'leaves the keys to %s',
    (html) => {
      expect(ownsKeys(first(html))).toBe(true)
    },
  )

  it('does not leave them to a link, which keeps the focus after a click, nor to the page', () => {
    expect(ownsKeys(first('<a href="#/train">Train</a>'))).toBe(false)
    expect(ownsKeys(document.body)).toBe(false)
  })

  it('leaves everything to an open dialog', () => {
    const link = first('<a href="#"></a><div role="dialog"></div>')
    expect(ownsKeys(link)).toBe(true)
  })
})
