// A folder of broken and odd files, made anew for each test, with what an import has to say about each. Reused by the
// unit tests and the tests of the whole window.
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import sharp from 'sharp'
import type { SkippedFile } from '../../src-shared/contract/files'
import { assemblePng, writePng } from './png'

/** What becomes of a file: used, left out for a reason, or not mentioned at all. */
export type Fate = 'used' | 'ignored' | SkippedFile['reason']
export interface OddFile {
  /** As the report names it. */
  file: string
  fate: Fate
}

/** A picture with structure in every part, so that cut-off data can't go unnoticed. */
export function pattern(width: number, height: number, channels: number): Uint8Array {
  const pixels = new Uint8Array(width * height * channels)
  for (let i = 0; i < pixels.length; i++) pixels[i] = (i * 7919 + (i >> 5) * 31) & 255
  return pixels
}

const picture = (width = 96, height = 80) =>
  sharp(pattern(width, height, 3), { raw: { width, height, channels: 3 } })

const cut = (data: Buffer, share: number): Buffer => data.subarray(0, Math.floor(data.length * share))

function withFlippedByte(data: Buffer, at: number): Buffer {
  const copy = Buffer.from(data)
  copy[at] = (copy[at] ?? 0) ^ 0xff
  return copy
}

/** Bytes that belong to nothing, before the marker of the first scan. */
function withStrayBytes(jpeg: Buffer): Buffer {
  const scan = jpeg.indexOf(Buffer.from([0xff, 0xda]))
  return Buffer.concat([jpeg.subarray(0, scan), Buffer.from('stray'), jpeg.subarray(scan)])
}

/** 33 kB that claim 16,384 × 16,384 pixels, and keep the promise. */
function bomb(): Buffer {
  const side = 16_384
  return assemblePng(side, side, 1, 0, deflateSync(Buffer.alloc(side * (side / 8 + 1)), { level: 9 }))
}

const heic = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x08mdat', 'latin1')

async function brokenImages(): Promise<[string, Buffer | string, Fate][]> {
  const jpeg = await picture().jpeg().toBuffer()
  const progressive = await picture().jpeg({ progressive: true }).toBuffer()
  const png = await picture().png().toBuffer()
  const webp = await picture().webp().toBuffer()
  const gif = await picture().gif().toBuffer()
  const tiff = await picture().tiff().toBuffer()
  const avif = await picture().avif({ effort: 0 }).toBuffer()
  const interlaced = await picture().png({ progressive: true }).toBuffer()
  return [
    ['zero-bytes.png', '', 'empty'],
    ['one-byte.png', 'x', 'not-an-image'],
    ['nulls.jpg', Buffer.alloc(4096), 'not-an-image'],
    ['page.png', '<!doctype html><title>404</title>', 'not-an-image'],
    ['labels.csv', 'file,label\na.png,cat\n', 'not-an-image'],
    ['archive.png', Buffer.from('PK\x03\x04 not a picture', 'latin1'), 'not-an-image'],
    ['clip.mp4', Buffer.from('\0\0\0\x14ftypisom\0\0\0\0isom', 'latin1'), 'not-an-image'],
    ['png-signature-only.png', png.subarray(0, 8), 'corrupt'],
    ['jpeg-marker-only.jpg', jpeg.subarray(0, 4), 'corrupt'],
    ['jpeg-1-percent.jpg', cut(jpeg, 0.01), 'corrupt'],
    ['jpeg-50-percent.jpg', cut(jpeg, 0.5), 'corrupt'],
    ['jpeg-99-percent.jpg', cut(jpeg, 0.97), 'corrupt'],
    ['jpeg-progressive-90-percent.jpg', cut(progressive, 0.9), 'corrupt'],
    ['png-50-percent.png', cut(png, 0.5), 'corrupt'],
    ['png-bad-checksum.png', withFlippedByte(png, png.length - 20), 'corrupt'],
    ['png-bad-header-checksum.png', withFlippedByte(png, 30), 'corrupt'],
    ['png-interlaced-70-percent.png', cut(interlaced, 0.7), 'corrupt'],
    ['webp-50-percent.webp', cut(webp, 0.5), 'corrupt'],
    ['gif-50-percent.gif', cut(gif, 0.5), 'corrupt'],
    ['tiff-50-percent.tif', cut(tiff, 0.5), 'corrupt'],
    ['avif-50-percent.avif', cut(avif, 0.5), 'corrupt'],
    ['bomb.png', bomb(), 'too-large'],
    ['zero-width.png', assemblePng(0, 8, 8, 0, deflateSync(Buffer.alloc(0))), 'corrupt'],
    ['drawing.svg', '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', 'unsupported-format'],
    [
      'drawing-named.png',
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
      'unsupported-format',
    ],
    ['phone.heic', heic, 'unsupported-format'],
    ['camera.cr2', Buffer.from('II*\0\x10\0\0\0CR\x02\0', 'latin1'), 'unsupported-format'],
    ['camera.nef', tiff, 'unsupported-format'],
    ['old.bmp', Buffer.from('BM\x3a\0\0\0\0\0\0\0\x36\0\0\0', 'latin1'), 'unsupported-format'],
    ['layers.psd', '8BPS\0\x01', 'unsupported-format'],
    ['icon.ico', Buffer.from('\0\0\x01\0\x01\0', 'latin1'), 'unsupported-format'],
    ['scratch.v', Buffer.from('\x08\xf2\xa6\xb6\0\0\0\0', 'latin1'), 'unsupported-format'],
  ]
}

async function oddImages(): Promise<[string, Buffer, Fate][]> {
  const jpeg = await picture().jpeg().toBuffer()
  const png = await picture().png().toBuffer()
  const frames = await Promise.all([0, 1].map(() => picture(32, 32).png().toBuffer()))
  const small = (colour: 'grey' | 'rgb' | 'palette', bits: 1 | 2 | 4 | 8 | 16, interlaced = false) =>
    writePng(
      { width: 13, height: 11, colour, bits, interlaced, palette: [255, 0, 0, 0, 128, 255] },
      (x, y, c) => (x + y + c) % 2,
    )
  return [
    ['jpeg-without-end.jpg', jpeg.subarray(0, -2), 'used'],
    ['jpeg-with-tail.jpg', Buffer.concat([jpeg, Buffer.alloc(999, 7)]), 'used'],
    ['jpeg-with-stray-bytes.jpg', withStrayBytes(jpeg), 'used'],
    ['jpeg-named.png', jpeg, 'used'],
    ['no-extension', png, 'used'],
    ['png-named.txt', png, 'used'],
    ['cmyk.jpg', await picture().toColourspace('cmyk').jpeg().toBuffer(), 'used'],
    ['grey-1-bit.png', small('grey', 1), 'used'],
    ['grey-16-bit.png', small('grey', 16), 'used'],
    ['rgb-16-bit.png', small('rgb', 16), 'used'],
    ['palette-2-bit.png', small('palette', 2), 'used'],
    ['interlaced.png', small('rgb', 8, true), 'used'],
    ['one-pixel.png', writePng({ width: 1, height: 1, colour: 'rgb' }, () => 9), 'used'],
    ['very-long.png', writePng({ width: 1, height: 60_000, colour: 'grey' }, (_, y) => y & 255), 'used'],
    [
      'animated.gif',
      await sharp(frames, { join: { animated: true } })
        .gif()
        .toBuffer(),
      'used',
    ],
    [
      'animated.webp',
      await sharp(frames, { join: { animated: true } })
        .webp()
        .toBuffer(),
      'used',
    ],
    ['scan.tif', await picture().tiff({ compression: 'lzw' }).toBuffer(), 'used'],
    ['modern.avif', await picture().avif({ effort: 0 }).toBuffer(), 'used'],
    [`${'n'.repeat(251)}.png`, png, 'used'],
    ['caf\u00e9.png', png, 'used'],
    ['cafe\u0301.png', png, 'used'],
    ['\u05e9\u05dc\u05d5\u05dd.png', png, 'used'],
    ['two\nlines "quoted" \'&<b>.png', png, 'used'],
    ['-rf *.png', png, 'used'],
    ['emoji \u{1F300}.png', png, 'used'],
    ['.DS_Store', Buffer.from('\0\0\0\x01Bud1', 'latin1'), 'ignored'],
    ['Thumbs.db', Buffer.from('\xd0\xcf\x11\xe0', 'latin1'), 'ignored'],
    ['._photo.jpg', Buffer.alloc(64), 'ignored'],
  ]
}

/** Things that are no files, and names that are no text. POSIX only. */
async function makeOddThings(folder: string): Promise<OddFile[]> {
  const png = await picture(16, 16).png().toBuffer()
  await mkdir(join(folder, 'deep', 'er'), { recursive: true })
  await writeFile(join(folder, 'deep', 'er', 'inside.png'), png)
  await symlink('..', join(folder, 'deep', 'er', 'loop'))
  await symlink('self', join(folder, 'self'))
  await symlink('nowhere.png', join(folder, 'dangling.png'))
  await symlink(join('deep', 'er', 'inside.png'), join(folder, 'link.png'))
  execFileSync('mkfifo', [join(folder, 'pipe.png')])
  await symlink('/dev/zero', join(folder, 'zero.png'))
  await writeFile(
    Buffer.concat([Buffer.from(`${folder}/bad`), Buffer.from([0xff, 0xfe]), Buffer.from('.png')]),
    png,
  )
  const things: OddFile[] = [
    { file: 'deep/er/inside.png', fate: 'used' },
    { file: 'deep/er/loop', fate: 'link-loop' },
    { file: 'self', fate: 'link-loop' },
    { file: 'dangling.png', fate: 'unreadable' },
    { file: 'link.png', fate: 'used' },
    { file: 'pipe.png', fate: 'not-a-file' },
    { file: 'zero.png', fate: 'not-a-file' },
    { file: 'bad\\xff\\xfe.png', fate: 'unreadable' },
  ]
  // The superuser may read everything, so there this file would be a good one.
  if (process.getuid?.() !== 0) {
    await writeFile(join(folder, 'locked.png'), png)
    await chmod(join(folder, 'locked.png'), 0)
    things.push({ file: 'locked.png', fate: 'unreadable' })
  }
  return things
}

/** Fills `folder` (which exists) and tells what an import has to make of each file. */
export async function makeBadFiles(folder: string): Promise<OddFile[]> {
  const made: OddFile[] = []
  for (const [file, content, fate] of [...(await brokenImages()), ...(await oddImages())]) {
    await writeFile(join(folder, file), content)
    made.push({ file, fate })
  }
  return process.platform === 'win32' ? made : [...made, ...(await makeOddThings(folder))]
}
