// The contract between the window and the service: every topic in one object.
import { host, jobs, settings } from './app'
import { datasets } from './datasets'
import type { Client, Emit, Handlers } from './define'
import { engines } from './engines'
import { exports_ } from './exports'
import { inspector } from './inspector'
import { design, runs } from './runs'

export const contract = {
  datasets,
  runs,
  design,
  inspector,
  exports: exports_,
  engines,
  jobs,
  settings,
  host,
} as const

export type GyreContract = typeof contract
export type GyreClient = Client<GyreContract>
export type GyreHandlers = Handlers<GyreContract>
export type GyreEmit = Emit<GyreContract>
