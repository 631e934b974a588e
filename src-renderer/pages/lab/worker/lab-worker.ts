// The Lab's worker: tfjs on plain JavaScript, so that pictures move while the page stays free.
import './no-wasm'
import '@tensorflow/tfjs-core/dist/register_all_gradients'
import '@tensorflow/tfjs-backend-cpu'
import { createLabCalls } from './lab-calls'
import type { LabAnswer, LabRequest } from './protocol'

const calls = createLabCalls()

function answer(request: LabRequest): unknown {
  switch (request.call) {
    case 'estimators':
      return calls.estimators()
    case 'pairs':
      return calls.pairs(request.payload)
    case 'field':
      return calls.field(request.payload)
    case 'start':
      return calls.start(request.payload)
    case 'step':
      return calls.step(request.payload)
    case 'finish':
      return calls.finish(request.payload)
  }
}

function handle(request: LabRequest): LabAnswer {
  try {
    return { id: request.id, result: answer(request) }
  } catch (error) {
    return { id: request.id, error: error instanceof Error ? error.message : String(error) }
  }
}

addEventListener('message', (event: MessageEvent<LabRequest>) => postMessage(handle(event.data)))
