// tfjs-core's Node build registers no gradients; the `@tensorflow/tfjs` bundle does, as a side effect of being
// loaded. It comes with tfjs-node-gpu and is looked up from there, so that all share one tfjs-core.
import { createRequire } from 'node:module'

// Not called `require`: the bundler adds a shim of that name.
const nodeRequire = createRequire(import.meta.url)

/** Makes every gradient of tfjs known in this thread, whichever backend runs. */
export function registerGradients(): void {
  createRequire(nodeRequire.resolve('@tensorflow/tfjs-node-gpu/package.json'))('@tensorflow/tfjs')
}
