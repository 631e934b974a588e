// The layers of ARCHITECTURE.md as rules: what a folder may import.
const only = (name, from, allowed, extra = {}) => ({
  name,
  severity: 'error',
  from: { path: from, ...extra.from },
  to: { pathNot: [...allowed, ...(extra.toNot ?? [])], dependencyTypesNot: ['type-only'], ...extra.to },
})
const npm = (...names) => names.map((name) => `^node_modules/${name}(/|$)`)
const core = [
  '^(node:)?(fs|fs/promises|path|os|crypto|events|stream|stream/promises|util|url|worker_threads|child_process|module|perf_hooks|process|buffer|http|https|net|readline|timers|timers/promises|zlib|v8|async_hooks|string_decoder)$',
]
const shared = ['^src-shared/']
const random = npm('pure-rand', 'zod')

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'not-resolvable',
      severity: 'error',
      from: { path: '^src-' },
      to: { couldNotResolve: true, pathNot: '^electron$|\\?' },
    },
    {
      name: 'not-declared',
      severity: 'error',
      from: { path: '^src-' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    only('contract', '^src-shared/contract/', ['^src-shared/(contract|config)/', ...npm('zod')]),
    only('config', '^src-shared/config/', ['^src-shared/(contract|config)/', ...npm('zod')]),
    only('quantize', '^src-shared/quantize/', ['^src-shared/quantize/', ...npm('@tensorflow/tfjs-core')]),
    only('rpc', '^src-shared/rpc/', ['^src-shared/(rpc|contract)/', ...npm('@msgpack/msgpack', 'zod')]),
    {
      name: 'electron-only-in-shell',
      severity: 'error',
      from: { path: '^src-', pathNot: '^src-main/shell/' },
      to: { path: '^electron$|^node_modules/electron/' },
    },
    only('model', '^src-main/model/', [
      '^src-main/model/',
      ...shared,
      ...npm('@tensorflow/tfjs-core'),
      ...random,
    ]),
    only('data', '^src-main/data/', [
      '^src-main/data/',
      ...shared,
      ...core,
      ...npm('sharp', '@napi-rs/image'),
      ...random,
    ]),
    only('engine', '^src-main/engine/', [
      '^src-main/engine/',
      ...shared,
      ...core,
      ...npm('@tensorflow', 'yauzl', 'zod'),
    ]),
    only('export', '^src-main/export/', [
      '^src-main/(export|model|data)/',
      ...shared,
      ...core,
      ...npm('zod'),
    ]),
    only('train', '^src-main/train/', [
      '^src-main/(train|model|engine|data|export)/',
      ...shared,
      ...core,
      ...npm('@tensorflow/tfjs-core', 'sharp'),
      ...random,
    ]),
    only('service', '^src-main/service/', [
      '^src-main/(service|data|export|engine/home|engine/index|train|model/describe)',
      ...shared,
      ...core,
      ...npm('zod'),
    ]),
    only('serve', '^src-main/serve/', ['^src-main/(serve|service)/', ...shared, ...core, ...npm('ws')]),
    only('cli', '^src-main/cli/', [
      '^src-main/(cli|service|serve)/',
      ...shared,
      ...core,
      ...npm('commander', 'zod'),
    ]),
    only('shell', '^src-main/shell/', [
      '^src-main/(shell|service|serve/static-files|serve/headers|engine/home)',
      ...shared,
      ...core,
      '^electron$',
      ...npm('electron'),
    ]),
    {
      name: 'renderer-only-shared',
      severity: 'error',
      from: { path: '^src-renderer/' },
      to: { path: '^src-main/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'shared-knows-nobody',
      severity: 'error',
      from: { path: '^src-shared/' },
      to: { path: '^src-(main|renderer)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.test.json' },
    exclude: { path: '^(dist|release)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
}
