// Chooses how the steps of a run are taken: as compiled graphs where the engine runs graphs and the step fits into one,
// else operation by operation, with the reason.
import { GyreError } from '#shared/contract/errors'
import { bfloat16Refusal, CannotCompile, Compiler, type EngineId, type NativeGraph } from '#main/engine/index'
import type { Optimizer, VqModel } from '#main/model/index'
import { compiledSteps, stepVariables } from './compiled-steps'
import { compiledForward, eagerForward, type Forward } from './forward'
import { eagerSteps, type Steps } from './steps'

/** `exact`: compiled, but with the numbers of an eager step, bit for bit. The last two are for tests and measurements. */
export type Execution = 'compiled' | 'exact' | 'eager'

export interface OpenedSteps extends Steps {
  /** What the model makes of images, by the variables that the steps have reached. */
  forward: Forward
  /** Why the steps are not compiled although the engine could; null where they are, or it can't. */
  notCompiled: string | null
}

interface StepsOptions {
  engine: { id: EngineId; graphs?: NativeGraph }
  execution?: Execution
  /** Told why something else than the steps runs one operation at a time although the engine could run graphs. */
  onEager?: (reason: string) => void
}

/** Throws `unsupported` where the run asks for a precision that the engine or the processor does not have. */
export function openSteps(
  model: VqModel,
  optimizer: Optimizer,
  { engine: { id, graphs }, execution = 'compiled', onEager }: StepsOptions,
): OpenedSteps {
  const bfloat16 = model.config.precision === 'bfloat16'
  const refusal = bfloat16 ? bfloat16Refusal(id) : null
  if (refusal !== null)
    throw new GyreError('unsupported', refusal, 'Set the precision to float32 and start the run again.')
  if (!graphs || execution === 'eager') {
    return { ...eagerSteps(model, optimizer), forward: eagerForward(model), notCompiled: null }
  }
  let compiler: Compiler | null = null
  try {
    const session = new Compiler(graphs, stepVariables(model, optimizer), execution === 'exact')
    compiler = session
    const steps = compiledSteps(session, model, optimizer, { bfloat16 })
    const forward = compiledForward(session, model, onEager)
    return { ...steps, forward, close: () => session.close(), notCompiled: null }
  } catch (error) {
    compiler?.close()
    if (!(error instanceof CannotCompile)) throw error
    if (bfloat16)
      throw new GyreError(
        'unsupported',
        `The steps could not be compiled, which bfloat16 needs. ${error.message}`,
        'Set the precision to float32 and start the run again.',
        { cause: error },
      )
    const reason = `Steps run one operation at a time, which is slower: they could not be compiled. ${error.message}`
    return { ...eagerSteps(model, optimizer), forward: eagerForward(model), notCompiled: reason }
  }
}
