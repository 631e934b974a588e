// Where Gyre keeps things on this machine: the one place that knows it. Reads the environment, creates nothing.
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

/** The folder of a person's Gyre data (library, settings, engines). `GYRE_HOME` moves it. */
export function gyreHome(env: Environment = process.env, platform: string = process.platform): string {
  if (env.GYRE_HOME) return resolve(env.GYRE_HOME)
  const home = homedir()
  if (platform === 'win32') return join(env.APPDATA ?? join(home, 'AppData', 'Roaming'), 'Gyre')
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'Gyre')
  return join(env.XDG_DATA_HOME ?? join(home, '.local', 'share'), 'gyre')
}

/** The folder that holds installed engines. `GYRE_ENGINES` moves it alone, so that many libraries can share one. */
export function engineHome(env: Environment = process.env, platform: string = process.platform): string {
  if (env.GYRE_ENGINES) return resolve(env.GYRE_ENGINES)
  return join(gyreHome(env, platform), 'engines')
}
