// Preloaded into Node (`--import`): lets `import 'electron'` find the stand-in beside this file.
import { register } from 'node:module'

const standIn = new URL('./electron-stand-in.mjs', import.meta.url).href
register(
  `data:text/javascript,${encodeURIComponent(`
    export const resolve = (name, context, next) =>
      name === 'electron' ? { url: ${JSON.stringify(standIn)}, shortCircuit: true } : next(name, context)
  `)}`,
)
