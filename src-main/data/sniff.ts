// Tells what a file is from its first bytes. Names lie, so the extension only matters where the content can't tell:
// many camera raw formats are TIFF files inside. Pure.
import { extname } from 'node:path'
import { Unusable } from './unusable'

/** Formats that `decode` reads. */
export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff' | 'avif'

/** As many first bytes as `sniff` wants to see. */
export const headBytes = 1024

const tiffBasedRaw = new Set(
  '.3fr .arw .cr2 .dcr .dng .erf .fff .iiq .k25 .kdc .mef .mos .nef .nrw .pef .raw .rw2 .rwl .sr2 .srf .srw'.split(
    ' ',
  ),
)

/** [offset, bytes as latin-1 text, words for the report] */
const unsupported: readonly (readonly [number, string, string])[] = [
  [0, 'BM', 'BMP'],
  [0, '8BPS', 'Photoshop'],
  [0, '\xff\x0a', 'JPEG XL'],
  [0, '\0\0\0\x0cJXL ', 'JPEG XL'],
  [0, '\0\0\0\x0cjP  ', 'JPEG 2000'],
  [0, '\xff\x4f\xff\x51', 'JPEG 2000'],
  [0, '\0\0\x01\0', 'Icon'],
  [0, '\x76\x2f\x31\x01', 'OpenEXR'],
  [0, '#?RADIANCE', 'Radiance HDR'],
  [0, 'DDS ', 'DDS'],
  [0, 'SIMPLE  =', 'FITS'],
  [0, 'FUJIFILMCCD-RAW', 'Camera raw'],
  [0, 'IIRO', 'Camera raw'],
  [0, 'IIRS', 'Camera raw'],
  [0, 'MMOR', 'Camera raw'],
  [0, 'IIU\0', 'Camera raw'],
  [0, '\x08\xf2\xa6\xb6', 'VIPS'],
  [0, '\xb6\xa6\xf2\x08', 'VIPS'],
  [0, 'gimp xcf', 'GIMP'],
  [0, '%PDF', 'PDF'],
  [0, 'qoif', 'QOI'],
  [0, 'farbfeld', 'Farbfeld'],
]

const otherContent: readonly (readonly [number, string, string])[] = [
  [0, 'PK\x03\x04', 'It is a ZIP archive.'],
  [0, 'PK\x05\x06', 'It is a ZIP archive.'],
  [0, '\x1f\x8b', 'It is a gzip archive.'],
  [0, 'Rar!', 'It is a RAR archive.'],
  [0, '7z\xbc\xaf', 'It is a 7-Zip archive.'],
  [257, 'ustar', 'It is a tar archive.'],
  [0, '\x1a\x45\xdf\xa3', 'It is a video.'],
  [0, 'OggS', 'It is a sound or video file.'],
  [0, 'ID3', 'It is a sound file.'],
  [0, '\x7fELF', 'It is a program.'],
  [0, 'MZ', 'It is a program.'],
]

function unsupportedFormat(name: string): never {
  throw new Unusable('unsupported-format', `${name} files can't be read. Save it as PNG or JPEG to use it.`)
}

/** Brands of an ISO media file ("ftyp" box): the major one and the compatible ones. */
function mediaBrands(head: string): string[] {
  if (head.slice(4, 8) !== 'ftyp') return []
  const boxBytes = Buffer.from(head.slice(0, 4), 'latin1').readUInt32BE()
  const list = head.slice(16, Math.max(16, Math.min(boxBytes, head.length)))
  return [head.slice(8, 12), ...(list.match(/.{4}/gs) ?? [])]
}

function checkMedia(brands: string[]): 'avif' {
  if (brands.includes('avif') || brands.includes('avis')) return 'avif'
  if (brands.includes('crx ')) unsupportedFormat('Camera raw')
  if (brands.some((brand) => /^(hei[cxms]|hev[cxms]|mif1|msf1|miaf)$/.test(brand))) unsupportedFormat('HEIC')
  throw new Unusable('not-an-image', 'It is a video.')
}

function checkTiff(head: string, extension: string): 'tiff' {
  if (head.slice(8, 10) === 'CR' || tiffBasedRaw.has(extension)) unsupportedFormat('Camera raw')
  return 'tiff'
}

function describeText(head: string): never {
  const text = head
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart()
    .toLowerCase()
  if (/^(<\?xml[^>]*>\s*)?(<!--[\s\S]*?-->\s*)*(<!doctype svg[\s\S]*|<svg[\s>][\s\S]*)/.test(text))
    unsupportedFormat('SVG')
  if (/^p[1-7f]\s/.test(text)) unsupportedFormat('Portable bitmap')
  if (text.startsWith('<!doctype html') || text.startsWith('<html')) {
    throw new Unusable('not-an-image', 'It is a web page.')
  }
  // eslint-disable-next-line no-control-regex -- the question is whether the bytes are text
  const isText = !/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(head)
  throw new Unusable(
    'not-an-image',
    isText ? 'It is a text file.' : 'Its content is no image that Gyre knows.',
  )
}

/**
 * The image format of a file that begins with `head` (up to `headBytes` bytes).
 * @throws Unusable `empty`, `unsupported-format` or `not-an-image`
 */
export function sniff(head: Buffer, fileName: string): ImageFormat {
  if (head.length === 0) throw new Unusable('empty', 'The file is empty.')
  const text = head.toString('latin1')
  const at = (offset: number, bytes: string): boolean => text.startsWith(bytes, offset)
  if (at(0, '\x89PNG\r\n\x1a\n')) return 'png'
  if (at(0, '\xff\xd8\xff')) return 'jpeg'
  if (at(0, 'RIFF') && at(8, 'WEBP')) return 'webp'
  if (at(0, 'GIF87a') || at(0, 'GIF89a')) return 'gif'
  if (at(0, 'II*\0') || at(0, 'MM\0*') || at(0, 'II+\0') || at(0, 'MM\0+')) {
    return checkTiff(text, extname(fileName).toLowerCase())
  }
  if (at(4, 'ftyp')) return checkMedia(mediaBrands(text))
  for (const [offset, bytes, name] of unsupported) if (at(offset, bytes)) unsupportedFormat(name)
  for (const [offset, bytes, detail] of otherContent) {
    if (at(offset, bytes)) throw new Unusable('not-an-image', detail)
  }
  describeText(text)
}
