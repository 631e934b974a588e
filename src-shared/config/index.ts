// The run configuration in one import.
export * from './check'
export * from './fields'
export * from './presets'
export * from './schema'
