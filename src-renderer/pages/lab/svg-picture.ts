// A drawing of the page as a file of its own: SVG with every colour written out, or PNG at twice the size.
import { GyreError } from '#shared/contract/errors'

/** Looks come from the page's style sheets, which a file does not have. */
const looks = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-opacity',
  'stroke-width',
  'stroke-dasharray',
  'stroke-linecap',
  'stroke-linejoin',
  'opacity',
  'font-family',
  'font-size',
  'font-weight',
  'text-anchor',
] as const

/** Around the drawing, in pixels. */
const margin = 12

export interface StandaloneSvg {
  text: string
  width: number
  height: number
}

/**
 * The SVG as text, with a margin. Parts marked `data-control` (handles to drag) are left out.
 * @param background Colour behind everything.
 * @param description What it shows, in words.
 */
export function standaloneSvg(svg: SVGSVGElement, background: string, description: string): StandaloneSvg {
  const copy = svg.cloneNode(true) as SVGSVGElement
  const originals = svg.querySelectorAll('*')
  copy.querySelectorAll('*').forEach((element, index) => {
    const original = originals[index]
    if (original) writeLooks(original, element, original.parentElement)
  })
  for (const control of copy.querySelectorAll('[data-control]')) control.remove()
  writeLooks(svg, copy, null)
  const width = svg.viewBox.baseVal.width + 2 * margin
  const height = svg.viewBox.baseVal.height + 2 * margin
  copy.setAttribute('viewBox', `${-margin} ${-margin} ${width} ${height}`)
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  copy.setAttribute('width', String(width))
  copy.setAttribute('height', String(height))
  const title = document.createElementNS('http://www.w3.org/2000/svg', 'title')
  title.textContent = description
  const paper = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
  paper.setAttribute('x', String(-margin))
  paper.setAttribute('y', String(-margin))
  paper.setAttribute('width', String(width))
  paper.setAttribute('height', String(height))
  paper.setAttribute('fill', background)
  copy.prepend(title, paper)
  const text = new XMLSerializer().serializeToString(copy)
  return { text: `<?xml version="1.0" encoding="UTF-8"?>\n${text}\n`, width, height }
}

/** Writes what differs from the parent, from which a reader of the file takes the rest. */
function writeLooks(original: Element, copy: Element, parent: Element | null): void {
  const style = getComputedStyle(original)
  const inherited = parent ? getComputedStyle(parent) : null
  for (const name of looks) {
    const value = style.getPropertyValue(name)
    const known = name === 'opacity' ? '1' : inherited?.getPropertyValue(name)
    if (value !== '' && value !== 'normal' && value !== known) copy.setAttribute(name, value)
  }
  for (const attribute of [...copy.attributes]) {
    if (/^(class|style|tabindex|role|aria-|data-v-)/.test(attribute.name))
      copy.removeAttribute(attribute.name)
  }
}

export function svgBlob({ text }: StandaloneSvg): Blob {
  return new Blob([text], { type: 'image/svg+xml' })
}

/** @throws `internal` when the browser cannot draw it. */
export async function pngOf({ text, width, height }: StandaloneSvg, pixelRatio = 2): Promise<Blob> {
  const url = URL.createObjectURL(svgBlob({ text, width, height }))
  try {
    const image = new Image()
    image.src = url
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = Math.round(width * pixelRatio)
    canvas.height = Math.round(height * pixelRatio)
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height)
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'))
    if (!blob) throw new GyreError('internal', 'The picture could not be drawn.', 'Save it as SVG instead.')
    return blob
  } finally {
    URL.revokeObjectURL(url)
  }
}
