// The engine layer as one file for plain Node, as the built app has it: for what only a process or thread of its own shows.
import { mkdtemp } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { build } from 'vite'

const root = resolve(import.meta.dirname, '../..')

/** Builds `engine.mjs` into a new folder inside the project, where it finds its packages. The caller removes it. */
export async function buildEngine(): Promise<string> {
  const folder = await mkdtemp(join(root, 'node_modules', '.gyre-engine-'))
  await build({
    root,
    configFile: false,
    logLevel: 'silent',
    build: {
      ssr: join(root, 'src-main/engine/index.ts'),
      outDir: folder,
      rollupOptions: { output: { entryFileNames: 'engine.mjs' } },
    },
  })
  return folder
}
