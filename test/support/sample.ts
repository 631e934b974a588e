// Small real images for tests: files of the sample set, or drawn with sharp.
import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const packageFile = createRequire(import.meta.url).resolve('emoji-datasource-google/package.json')

/** Folder of the 3,786 emoji PNGs of 64×64. */
export const emojiFolder = join(dirname(packageFile), 'img', 'google', '64')

/** Copies `count` emoji, evenly spread over the set, into `folder`; returns their names. */
export async function copyEmoji(folder: string, count: number): Promise<string[]> {
  const names = (await readdir(emojiFolder)).filter((name) => name.endsWith('.png')).sort()
  const chosen = Array.from({ length: count }, (_, i) => names[Math.floor((i * names.length) / count)] ?? '')
  await mkdir(folder, { recursive: true })
  await Promise.all(chosen.map((name) => copyFile(join(emojiFolder, name), join(folder, name))))
  return chosen
}
