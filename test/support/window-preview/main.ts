// The window over the fake service, for looking at pages while working on them:
// `npx vite test/support/window-preview --config test/support/window-preview/vite.config.ts`.
// In the address: ?state=empty|working|failed, &welcome, &desktop, &wasm, &theme=dark.
import '../../../src-renderer/zod-without-eval'
import '../../../src-renderer/styles/tokens.css'
import '../../../src-renderer/styles/base.css'
import { GyreError } from '#shared/contract/errors'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import { connect } from '../../../src-renderer/api/client'
import App from '../../../src-renderer/App.vue'
import { makeRouter } from '../../../src-renderer/router'
import { fakeBenchmark, olderEngine } from '../fake-engines'
import { fakeConfig, fakeDataset, fakeRun } from '../fake-data'
import { createFakeService, type FakeOptions } from '../fake-service'

const query = new URLSearchParams(location.search)
const state = query.get('state') ?? 'working'
const broken = new GyreError('unreadable', 'The library can’t be read.', 'Check that the disk is there.')

const working: FakeOptions = {
  benchmarks: [fakeBenchmark('tensorflow-cpu'), fakeBenchmark('wasm')],
  olderEngines: [olderEngine],
  datasets: [
    fakeDataset(),
    fakeDataset({
      id: 'birds',
      name: 'Birds of the garden, summer',
      kind: 'folder',
      source: '/home/you/pictures/birds',
      licence: undefined,
      imageCount: 12_412,
      labels: {},
      createdAt: '2025-11-10T10:00:00.000Z',
    }),
  ],
  runs: [
    fakeRun(),
    fakeRun({
      id: 'run-2',
      name: 'emoji · ste · seed 0',
      config: fakeConfig({ estimator: 'ste' }),
      createdAt: '2025-11-22T09:00:00.000Z',
    }),
    fakeRun({
      id: 'run-3',
      name: 'birds, first try',
      status: 'diverged',
      step: 312,
      createdAt: '2025-11-21T09:00:00.000Z',
      best: null,
      last: null,
      error: {
        code: 'diverged',
        message: 'The loss became infinite at step 312.',
        hint: 'Lower the learning rate.',
      },
    }),
  ],
}

const service = createFakeService({
  ...(state === 'empty' ? { datasets: [], runs: [] } : working),
  ...(state === 'failed'
    ? {
        failing: {
          'engines.test': new GyreError(
            'busy',
            'The run “birds” is being trained.',
            'Wait until it is over.',
          ),
          'engines.chosen': new GyreError('engine-unavailable', 'There is no NVIDIA graphics card here.'),
          'datasets.list': broken,
          'runs.list': broken,
          'design.preflight': broken,
        },
      }
    : {}),
  welcomeDismissed: !query.has('welcome'),
  wasmOnly: query.has('wasm'),
  kind: query.has('desktop') ? 'desktop' : 'browser',
})
const theme = query.get('theme')
if (theme) document.documentElement.dataset['theme'] = theme
setInterval(() => service.tick(), 250)
connect(() => service.open())
createApp(App).use(createPinia()).use(makeRouter()).mount('#app')
