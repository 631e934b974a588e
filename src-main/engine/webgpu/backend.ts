// WebGPU as a tfjs backend in Node: tfjs's own backend on a device of Dawn's, with reading made synchronous (tfjs reads
// through a canvas, which Node has not) and with what goes wrong on the card turned into errors.
import * as tf from '@tensorflow/tfjs-core'
import { createRequire } from 'node:module'
import { GyreError } from '#shared/contract/errors'
import { adapterName, isSoftware, noCard, softwareOnly, softwareWanted } from './adapter'
import { loadDawn, type GpuAdapterInfo, type GpuBuffer, type GpuDevice } from './dawn'
import { DawnEvents } from './events'
import { registerWebGpuKernels } from './kernels'

// Not called `require`: the bundler adds a shim of that name.
const nodeRequire = createRequire(import.meta.url)

export const webGpuBackendName = 'webgpu'

/** What tfjs asks for, and as many tensors in one kernel as the card can hold. */
const limits = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxBufferSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
] as const

/** Numbers of the WebGPU standard. */
const usage = { mapRead: 0x1, copyDestination: 0x8 } as const
const mapForReading = 0x1

interface TensorData {
  values: tf.BackendValues | null
  dtype: tf.DataType
  resource?: GpuBuffer
}

/** The members of tfjs's backend that are used here. */
interface WebGpuBackend extends tf.KernelBackend {
  tensorMap: { get(id: tf.DataId): TensorData }
  bufferManager: {
    acquireBuffer(size: number, usage: number, mapped?: boolean, reuse?: boolean): GpuBuffer
    releaseBuffer(buffer: GpuBuffer): void
  }
  commandEncoder: {
    copyBufferToBuffer(from: GpuBuffer, offset: number, to: GpuBuffer, at: number, size: number): void
  }
  ensureCommandEncoderReady(): void
  endComputePassEncoder(): void
  submitQueue(): void
  convertAndCacheOnCPU(id: tf.DataId, data: tf.BackendValues): tf.BackendValues
}

type BackendClass = new (device: GpuDevice, info: GpuAdapterInfo) => WebGpuBackend

interface BackendModule {
  WebGPUBackend: BackendClass
}

const other = 'Choose another engine: what is trained on one goes on on any.'
const smaller =
  'Use a smaller batch size or image size, then resume: the run goes on from its last checkpoint.'

const tooLittleMemory = (detail: string): GyreError =>
  new GyreError('out-of-memory', `The graphics card has too little memory for this: ${detail}`, smaller)

const lostCard = (detail: string): GyreError =>
  new GyreError(
    'engine-unavailable',
    `The graphics card stopped answering: ${detail || 'its driver was reset, or the card is gone.'}`,
    'Resume the run: it goes on from its last checkpoint. If this happens again, choose another engine.',
  )

const firstLine = (message: string): string => message.split('\n')[0] ?? ''

/** tfjs's backend, reading synchronously, and failing where the card has failed. */
function strictBackend(Base: BackendClass, events: DawnEvents): BackendClass {
  return class extends Base {
    readonly #device: GpuDevice
    readonly #largest: number
    #failure: GyreError | null = null

    constructor(device: GpuDevice, info: GpuAdapterInfo) {
      super(device, info)
      this.#device = device
      this.#largest = Math.min(
        device.limits.maxBufferSize ?? Infinity,
        device.limits.maxStorageBufferBindingSize ?? Infinity,
      )
      device.addEventListener('uncapturederror', (event) => {
        // Dawn would print it.
        event.preventDefault()
        const message = firstLine(event.error.message)
        this.#failure ??=
          event.error.constructor.name === 'GPUOutOfMemoryError'
            ? tooLittleMemory(message)
            : new GyreError('engine-unavailable', `The graphics card refused an operation: ${message}`, other)
      })
      void device.lost.then(({ reason, message }) => {
        if (reason !== 'destroyed') this.#failure ??= lostCard(firstLine(message))
      })
      const acquire = this.bufferManager.acquireBuffer.bind(this.bufferManager)
      this.bufferManager.acquireBuffer = (size, ...rest) => this.#acquire(size, () => acquire(size, ...rest))
    }

    override readSync(id: tf.DataId): tf.BackendValues {
      const data = this.tensorMap.get(id)
      if (data.values || !data.resource || data.dtype === 'complex64') return super.readSync(id)
      const copy = this.#beginCopy(data.resource)
      events.waitUntil(() => copy.mapState !== 'pending')
      return this.#finishCopy(id, data, copy)
    }

    override async read(id: tf.DataId): Promise<tf.BackendValues> {
      const data = this.tensorMap.get(id)
      if (data.values || !data.resource || data.dtype === 'complex64') return super.read(id)
      const copy = this.#beginCopy(data.resource)
      await events.until(() => copy.mapState !== 'pending')
      return this.#finishCopy(id, data, copy)
    }

    override dispose(): void {
      super.dispose()
      this.#device.destroy()
    }

    #acquire(size: number, acquire: () => GpuBuffer): GpuBuffer {
      if (size > this.#largest)
        throw tooLittleMemory(
          `a tensor of ${(size / 1e6).toFixed(0)} MB is wanted, and it takes ${(this.#largest / 1e6).toFixed(0)} MB at most.`,
        )
      try {
        return acquire()
      } catch (error) {
        throw error instanceof RangeError ? tooLittleMemory(error.message) : error
      } finally {
        this.#check()
      }
    }

    #check(): void {
      if (this.#failure) throw this.#failure
    }

    #beginCopy(source: GpuBuffer): GpuBuffer {
      const copy = this.bufferManager.acquireBuffer(source.size, usage.mapRead | usage.copyDestination)
      this.ensureCommandEncoderReady()
      this.endComputePassEncoder()
      this.commandEncoder.copyBufferToBuffer(source, 0, copy, 0, source.size)
      this.submitQueue()
      // How it ended is read from the buffer's state.
      events.begin(() => copy.mapAsync(mapForReading)).catch(() => undefined)
      return copy
    }

    #finishCopy(id: tf.DataId, { dtype }: TensorData, copy: GpuBuffer): tf.BackendValues {
      this.#check()
      if (copy.mapState !== 'mapped') throw (this.#failure ??= lostCard(''))
      const bytes = copy.getMappedRange().slice(0)
      copy.unmap()
      this.bufferManager.releaseBuffer(copy)
      return this.convertAndCacheOnCPU(id, tf.util.convertBackendValuesAndArrayBuffer(bytes, dtype))
    }
  }
}

let kernelsReady = false

/** Dawn and the card, as long as this thread lives: once they are collected the driver is unloaded, with the device in use. */
const inUse: unknown[] = []

/** tfjs's version, without loading the backend. */
export function webGpuVersion(): string {
  return (nodeRequire('@tensorflow/tfjs-backend-webgpu/package.json') as { version: string }).version
}

/**
 * Makes WebGPU known to tfjs in this thread, on the fastest card; `tf.setBackend('webgpu')` starts it. Throws
 * `engine-unavailable` where there is no card, or only a software adapter that is not asked for.
 */
export async function prepareWebGpu(software?: boolean): Promise<{ device: string }> {
  const gpu = await loadDawn()
  // One for all that Dawn does in this thread: whoever waits must hold every callback.
  const events = new DawnEvents()
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) throw new GyreError('engine-unavailable', noCard)
  if (isSoftware(adapter.info) && !softwareWanted(software))
    throw new GyreError('engine-unavailable', softwareOnly(adapter.info))
  const requiredLimits = Object.fromEntries(limits.map((name) => [name, adapter.limits[name] ?? 0]))
  const device = await events.settled(() => adapter.requestDevice({ requiredLimits }))
  inUse.push(gpu, adapter, device)
  // Required, not imported: this file is CommonJS and must share its tfjs-core with the import above.
  const { WebGPUBackend } = nodeRequire('@tensorflow/tfjs-backend-webgpu') as BackendModule
  if (!kernelsReady) registerWebGpuKernels(webGpuBackendName)
  kernelsReady = true
  // Small tensors would be computed on the processor, by other kernels than those that large ones meet.
  tf.env().set('WEBGPU_CPU_FORWARD', false)
  // tfjs's constructor asks whether there is a `navigator.gpu`. A newer Node has a navigator, which refuses new members.
  const navigator = Object.getOwnPropertyDescriptor(globalThis, 'navigator')
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true })
  const backend = new (strictBackend(WebGPUBackend, events))(device, adapter.info)
  if (navigator) Object.defineProperty(globalThis, 'navigator', navigator)
  else Reflect.deleteProperty(globalThis, 'navigator')
  tf.registerBackend(webGpuBackendName, () => backend, 3)
  return { device: adapterName(adapter.info) }
}
