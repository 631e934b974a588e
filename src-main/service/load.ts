// What the machine is doing, once a second while somebody looks: this process's CPU and memory, the trainer's tensors.
import type { SystemLoad } from '#shared/contract/app'
import type { Bus } from './bus'
import type { TrainerClient } from './trainer-client'

const everyMs = 1000

/** Starts sampling; returns the function that ends it. */
export function watchLoad(
  bus: Bus,
  trainers: TrainerClient,
  dataWaitFraction: () => number | null,
): () => void {
  let before = { cpu: process.cpuUsage(), at: performance.now() }
  let tensors: number | null = null
  let asking = false

  // A trainer in the middle of a long step answers late: what it said last is shown until it does.
  const askTrainer = (): void => {
    const trainer = trainers.current
    if (!trainer) tensors = null
    if (!trainer || asking) return
    asking = true
    trainer
      .memory()
      .then((memory) => (tensors = memory.tensors))
      .catch(() => (tensors = null))
      .finally(() => (asking = false))
  }

  const timer = setInterval(() => {
    const { cpu, at } = before
    before = { cpu: process.cpuUsage(), at: performance.now() }
    if (!bus.isAttached) return
    askTrainer()
    const usedMs = (before.cpu.user + before.cpu.system - cpu.user - cpu.system) / 1000
    const load: SystemLoad = {
      cpuPercent: (100 * usedMs) / (before.at - at),
      rssBytes: process.memoryUsage.rss(),
      tensors,
      engine: trainers.engine,
      dataWaitFraction: dataWaitFraction(),
    }
    bus.emit('host', 'onLoad', load)
  }, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}
