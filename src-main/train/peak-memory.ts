// The most memory that this process has held.
import { readFileSync } from 'node:fs'

/** Resident bytes at their highest. `getrusage` alone may tell of the process that started this one. */
export function peakRssBytes(): number {
  try {
    const found = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
    if (found) return Number(found[1]) * 1024
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024
}
