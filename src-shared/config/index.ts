// The run configuration in one import.
export * from './applies'
export * from './check'
export * from './fields'
export * from './presets'
export * from './quantizers'
export * from './schema'
