// A chart as a PNG to keep: title and legend, which the page draws in HTML, are added above the curves.
import { saveBlob } from '../composables/save-file'
import type { ChartColours } from './theme'

export interface LegendEntry {
  label: string
  colour: string
}

/** A text cut to a width, with an ellipsis. */
function fitted(paint: CanvasRenderingContext2D, text: string, width: number): string {
  if (paint.measureText(text).width <= width) return text
  let end = text.length
  while (end > 0 && paint.measureText(`${text.slice(0, end)}…`).width > width) end--
  return `${text.slice(0, end)}…`
}

/** Puts title, subject and legend above the drawn chart (which is at twice the CSS size). */
export function composePicture(
  chart: HTMLCanvasElement,
  title: string,
  subject: string,
  legend: readonly LegendEntry[],
  colours: ChartColours,
): HTMLCanvasElement {
  const head = legend.length > 0 ? 132 : 88
  const canvas = document.createElement('canvas')
  canvas.width = chart.width
  canvas.height = chart.height + head
  const paint = canvas.getContext('2d')
  if (!paint) return chart
  paint.fillStyle = colours.panel
  paint.fillRect(0, 0, canvas.width, canvas.height)
  paint.fillStyle = colours.text
  paint.font = `600 26px ${colours.font}`
  paint.fillText(title, 24, 42)
  paint.font = `22px ${colours.font}`
  paint.fillStyle = colours['text-soft']
  paint.fillText(fitted(paint, subject, canvas.width - 48), 24, 74)
  let x = 24
  for (const { label, colour } of legend) {
    paint.fillStyle = colour
    paint.fillRect(x, 104, 28, 4)
    paint.fillStyle = colours['text-soft']
    paint.fillText(label, x + 38, 114)
    x += 38 + paint.measureText(label).width + 32
  }
  paint.drawImage(chart, 0, head)
  return canvas
}

/** Offers the picture as a download. */
export async function savePicture(canvas: HTMLCanvasElement, fileName: string): Promise<void> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'))
  if (blob) saveBlob(blob, fileName)
}
