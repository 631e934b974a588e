// Where results may go: anywhere but among the images they are about, which Gyre only ever reads. It writes nothing.
import { isAbsolute } from 'node:path'
import { GyreError } from '#shared/contract/errors'
import type { DatasetFile } from '#shared/contract/files'
import { leadsInside } from '#main/data/index'

/**
 * Refuses a file or folder to write that lies in a dataset's source folder. A source in the library itself (a
 * relative one, of uploaded images) is no place a person writes to.
 * @throws GyreError `invalid-input`
 */
export async function refuseAmongImages(out: string, { source }: Pick<DatasetFile, 'source'>): Promise<void> {
  if (!isAbsolute(source) || !(await leadsInside(source, out))) return
  throw new GyreError(
    'invalid-input',
    `“${out}” lies in “${source}”, a folder of images that Gyre only reads.`,
    'Choose a place outside it.',
  )
}
