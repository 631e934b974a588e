// A chart as a PNG to keep: title and legend, which the page draws in HTML, are added above the curves.
import { saveBlob } from '../composables/save-file'
import type { ChartColours } from './theme'

export interface LegendEntry {
  label: string
  colour: string
}

/** Puts title and legend above the drawn chart (which is at twice the CSS size). */
export function composePicture(
  chart: HTMLCanvasElement,
  title: string,
  legend: readonly LegendEntry[],
  colours: ChartColours,
): HTMLCanvasElement {
  const head = legend.length > 0 ? 104 : 60
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
  let x = 24
  for (const { label, colour } of legend) {
    paint.fillStyle = colour
    paint.fillRect(x, 76, 28, 4)
    paint.fillStyle = colours['text-soft']
    paint.fillText(label, x + 38, 86)
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
