// Removing an engine and what computes on it: the one never gets in the other's way. Its folder is a temporary one.
import { expect, it } from 'vitest'
import { Benchmarks } from '../../../src-main/service/benchmarks'
import { Bench } from '../../../src-main/service/bench'
import { Bus } from '../../../src-main/service/bus'
import { Engines } from '../../../src-main/service/engines'
import { Jobs } from '../../../src-main/service/jobs'
import { Quiet } from '../../../src-main/service/quiet'
import type { ChosenHost } from '../../../src-main/service/trainer-host'
import { withFolder } from '../../support/folders'

const never: ChosenHost = {
  start: () => Promise.reject(new Error('no trainer is started here')),
  fits: () => Promise.resolve(true),
}

it('an engine counts as used from the moment at which a test or a measurement is asked for', async () => {
  await withFolder(async (home) => {
    let lookAround: (busy: string) => void = () => undefined
    const jobs = new Jobs(new Bus())
    const engines = new Engines({
      jobs,
      options: { home },
      host: never,
      vectors: '',
      bench: new Bench(jobs, never, new Quiet(() => Promise.resolve(null))),
      benchmarks: new Benchmarks(`${home}/benchmarks.json`),
      quiet: new Quiet(() => new Promise((resolve) => (lookAround = resolve))),
      release: () => Promise.resolve(),
      holds: () => false,
    })
    const measuring = engines.benchmark('tensorflow-cpu').finished
    await expect(engines.remove('tensorflow-cpu')).rejects.toMatchObject({ code: 'busy' })
    lookAround('Enough.')
    await expect(measuring).rejects.toMatchObject({ code: 'busy', message: 'Enough.' })
    const testing = engines.test('tensorflow-cpu')
    await expect(engines.remove('tensorflow-cpu')).rejects.toMatchObject({ code: 'busy' })
    lookAround('Enough again.')
    await expect(testing).rejects.toMatchObject({ message: 'Enough again.' })
    expect(await engines.remove('tensorflow-cpu')).toMatchObject({ id: 'tensorflow-cpu', installed: false })
    await expect(engines.remove('wasm')).rejects.toMatchObject({ code: 'unsupported' })
  })
})
