// Where things lie in a library. The only place that joins these names; creates and reads nothing.
import { join } from 'node:path'

export interface Layout {
  readonly root: string
  readonly datasets: string
  readonly runs: string
  readonly trash: string
  readonly uploads: string
  readonly exports: string
  readonly settingsFile: string
  readonly measuredFile: string
  readonly benchmarksFile: string
  /** `id` must have passed the `identifier` schema. */
  dataset(id: string): string
  run(id: string): string
}

/** The folders of the library at `root` (an absolute path). */
export function libraryLayout(root: string): Layout {
  return {
    root,
    datasets: join(root, 'datasets'),
    runs: join(root, 'runs'),
    trash: join(root, 'trash'),
    uploads: join(root, 'uploads'),
    exports: join(root, 'exports'),
    settingsFile: join(root, 'settings.json'),
    measuredFile: join(root, 'measured.json'),
    benchmarksFile: join(root, 'benchmarks.json'),
    dataset: (id) => join(root, 'datasets', id),
    run: (id) => join(root, 'runs', id),
  }
}
