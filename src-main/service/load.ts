// What Gyre takes of the machine, once a second while somebody looks: CPU and memory of this process, and of the trainer's
// where it has one of its own; the trainer's tensors.
import type { SystemLoad } from '#shared/contract/app'
import type { Bus } from './bus'
import type { Trainer, TrainerClient } from './trainer-client'

const everyMs = 1000

type Memory = Awaited<ReturnType<Trainer['memory']>>

interface Told extends Memory {
  atMs: number
  isApart: boolean
}

/** CPU time over time between two answers of a trainer in a process of its own; 0 for one in a thread of this process. */
function apartCpuPercent(before: Told | null, now: Told | null): number {
  if (!before || !now?.isApart || now.cpuMs < before.cpuMs) return 0
  return (100 * (now.cpuMs - before.cpuMs)) / (now.atMs - before.atMs)
}

/** Starts sampling; returns the function that ends it. */
export function watchLoad(
  bus: Bus,
  trainers: TrainerClient,
  dataWaitFraction: () => number | null,
): () => void {
  let before = { cpu: process.cpuUsage(), at: performance.now() }
  let told: Told | null = null
  let apartCpu = 0
  let asking = false

  const hear = (now: Told | null): void => {
    apartCpu = apartCpuPercent(told, now)
    told = now
  }
  // A trainer in the middle of a long step answers late: what it said last is shown until it does.
  const askTrainer = (): void => {
    const { current } = trainers
    if (!current) hear(null)
    if (!current || asking) return
    asking = true
    current.trainer
      .memory()
      .then((memory) => hear({ ...memory, atMs: performance.now(), isApart: current.isApart }))
      .catch(() => hear(null))
      .finally(() => (asking = false))
  }

  const timer = setInterval(() => {
    const { cpu, at } = before
    before = { cpu: process.cpuUsage(), at: performance.now() }
    if (!bus.isAttached) return
    askTrainer()
    const usedMs = (before.cpu.user + before.cpu.system - cpu.user - cpu.system) / 1000
    const load: SystemLoad = {
      cpuPercent: (100 * usedMs) / (before.at - at) + apartCpu,
      rssBytes: process.memoryUsage.rss() + (told?.isApart ? told.rssBytes : 0),
      tensors: told?.tensors ?? null,
      engine: trainers.engine,
      dataWaitFraction: dataWaitFraction(),
    }
    bus.emit('host', 'onLoad', load)
  }, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}
