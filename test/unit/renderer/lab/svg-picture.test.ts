// @vitest-environment happy-dom
// A drawing as a file: colours written out, handles left out, a title for whoever cannot see it.
import { expect, it } from 'vitest'
import { standaloneSvg } from '../../../../src-renderer/pages/lab/svg-picture'

function drawing(): SVGSVGElement {
  document.body.innerHTML = `
    <style>.arrow { stroke: rgb(0, 114, 178); stroke-width: 2px }</style>
    <svg viewBox="0 0 300 200" class="picture" role="group" aria-label="x">
      <path class="arrow" data-v-1a d="M0 0L10 10" />
      <g tabindex="0" role="slider" data-control><circle r="14" /></g>
      <text style="fill: rgb(26, 26, 26)">λ &lt; 1</text>
    </svg>`
  const svg = document.querySelector('svg')
  if (!svg) throw new Error('no drawing')
  return svg
}

it('stands alone', () => {
  const svg = drawing()
  // happy-dom keeps no view box of its own.
  Object.defineProperty(svg, 'viewBox', { value: { baseVal: { width: 300, height: 200 } } })
  const { text, width, height } = standaloneSvg(svg, '#ffffff', 'Points & codes')
  expect(text).toContain('xmlns="http://www.w3.org/2000/svg"')
  expect(text).toContain('viewBox="-12 -12 324 224"')
  expect([width, height]).toEqual([324, 224])
  expect(text).toContain('Points &amp; codes')
  expect(text).toMatch(/<path[^>]* stroke="rgb\(0, 114, 178\)"/)
  expect(text).toMatch(/<text[^>]* fill="rgb\(26, 26, 26\)"/)
  expect(text).not.toMatch(/class=|role=|tabindex|data-control|data-v-|<circle|style=/)
  expect(text.indexOf('<rect')).toBeLessThan(text.indexOf('<path'))
  // The page's own drawing stays whole.
  expect(svg.querySelector('[data-control]')).not.toBeNull()
})
