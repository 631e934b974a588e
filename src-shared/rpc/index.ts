// One RPC for every boundary of Gyre: window ↔ service and service ↔ trainer, over any transport.
export { createClient, type Connection } from './client'
export { createHub, type Hub } from './hub'
export { memoryPair } from './memory'
export type { Transport } from './message'
export { nodePortTransport } from './port'
export { serve, type Served } from './server'
