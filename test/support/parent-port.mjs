// Gives a Node process the port of an Electron utility process, and takes Node's own from it.
import { EventEmitter } from 'node:events'

const send = process.send.bind(process)
const port = new EventEmitter()
port.postMessage = (message) => send(message)
// Messages wait for the first listener.
port.once('newListener', () => process.on('message', (data) => port.emit('message', { data, ports: [] })))
// Electron ends a utility process with its parent, and tells it nothing.
process.on('disconnect', () => process.exit(0))
process.send = undefined
process.parentPort = port
