// One RPC for every boundary of Gyre: window ↔ service and service ↔ trainer, over any transport.
export { createClient, type Connection } from './client'
export { openSocketTransport } from './handshake'
export { createHub, type Hub } from './hub'
export { memoryPair } from './memory'
export type { Message, Transport } from './message'
export { nodePortTransport, portTransport } from './port'
export { serve, type Served } from './server'
export { socketTransport } from './socket'
