// Loads a compiled binding in a process of its own and multiplies two small matrices with it, so that a library
// that crashes takes nothing with it; our own module is loaded there too. Electron may forbid itself to run as Node: there
// a worker thread does it, without our module: its operations would stay registered when the thread has taken it away.
import { execFile } from 'node:child_process'
import { Worker } from 'node:worker_threads'
import { promisify } from 'node:util'
import { z } from 'zod'
import { GyreError } from '#shared/contract/errors'
import { graphFileName } from './binding-source'

const run = promisify(execFile)

// [[1, 2], [3, 4]] times itself is [[7, 10], [15, 22]].
const script = `
const b = require(process.argv.at(-1))
const t = () => b.createTensor([2, 2], b.TF_FLOAT, Float32Array.of(1, 2, 3, 4))
const attr = (name, value) => ({ name, type: b.TF_ATTR_BOOL, value })
const [out] = b.executeOp('MatMul', [attr('transpose_a', false), attr('transpose_b', false),
  { name: 'T', type: b.TF_ATTR_TYPE, value: b.TF_FLOAT }], [t(), t()], 1)
const answer = JSON.stringify({ version: b.TF_Version, product: [...b.tensorDataSync(out.id)] })
const { parentPort } = require('node:worker_threads')
if (parentPort) parentPort.postMessage(answer)
else {
  require(require('node:path').join(process.argv.at(-1), '..', ${JSON.stringify(graphFileName)})).operations()
  process.stdout.write(answer)
}
`

const answerSchema = z.object({ version: z.string(), product: z.array(z.number()) })

async function inProcess(binding: string, signal?: AbortSignal): Promise<string> {
  const { stdout } = await run(process.execPath, ['-e', script, binding], { signal, timeout: 120_000 })
  return stdout
}

function inThread(binding: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(script, { eval: true, argv: [binding] })
    worker.once('message', (answer: string) => {
      resolve(answer)
      void worker.terminate()
    })
    worker.once('error', reject)
  })
}

/** TensorFlow's version as the binding reports it. Throws `engine-unavailable` when it does not load or compute. */
export async function probeBinding(binding: string, signal?: AbortSignal): Promise<string> {
  try {
    const electron = 'electron' in process.versions
    const answer = answerSchema.parse(
      JSON.parse(await (electron ? inThread(binding) : inProcess(binding, signal))),
    )
    if (answer.product.join() !== '7,10,15,22')
      throw new Error(`A matrix product came out as ${answer.product.join()}`)
    return answer.version
  } catch (error) {
    if (signal?.aborted) throw error
    const text = (error as { stderr?: string }).stderr ?? ''
    const line = text.split('\n').find((l) => l.startsWith('Error')) ?? (error as Error).message
    throw new GyreError(
      'engine-unavailable',
      `The TensorFlow engine was built but does not run here: ${line}`,
      'Its folder may be on a drive that forbids programs, or the processor may lack AVX. WASM works anyway.',
      { cause: error },
    )
  }
}
