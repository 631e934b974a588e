import vue from '@vitejs/plugin-vue'
import { resolve } from 'node:path'
import { defineConfig } from 'electron-vite'

const root = import.meta.dirname
const entry = (path: string): string => resolve(root, path)

// One bundle per runtime: `main` holds the Node entries (Electron shell, command line, and the threads:
// trainer, decoder and batches), `preload` is one CommonJS file because a sandboxed window can load nothing else.
export default defineConfig({
  main: {
    build: {
      outDir: 'dist/main',
      rollupOptions: {
        input: {
          shell: entry('src-main/shell/main.ts'),
          cli: entry('src-main/cli/main.ts'),
          trainer: entry('src-main/train/worker.ts'),
          decoder: entry('src-main/data/decoder-worker.ts'),
          batches: entry('src-main/data/batch-worker.ts'),
        },
        output: { format: 'es' },
      },
    },
  },
  preload: {
    build: {
      outDir: 'dist/preload',
      externalizeDeps: false,
      isolatedEntries: true,
      rollupOptions: {
        input: { preload: entry('src-main/shell/preload.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: entry('src-renderer'),
    build: { outDir: entry('dist/renderer'), rollupOptions: { input: entry('src-renderer/index.html') } },
    plugins: [vue()],
  },
})
