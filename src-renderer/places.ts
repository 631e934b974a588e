// The places of the window, in the order of the rail and of the keys 1 to 8.
import {
  Database,
  FlaskConical,
  FolderOutput,
  Grid3x3,
  List,
  Settings,
  SlidersHorizontal,
  TrendingDown,
} from '@lucide/vue'
import type { Component } from 'vue'

export interface Place {
  name: string
  label: string
  path: string
  icon: Component
  /** Places after a gap belong to the app, not to the path from images to model. */
  gap?: boolean
}

export const places: readonly Place[] = [
  { name: 'data', label: 'Data', path: '/data', icon: Database },
  { name: 'design', label: 'Design', path: '/design', icon: SlidersHorizontal },
  { name: 'train', label: 'Train', path: '/train', icon: TrendingDown },
  { name: 'inspect', label: 'Inspect', path: '/inspect', icon: Grid3x3 },
  { name: 'export', label: 'Export', path: '/export', icon: FolderOutput },
  { name: 'runs', label: 'Runs', path: '/runs', icon: List, gap: true },
  { name: 'lab', label: 'Lab', path: '/lab', icon: FlaskConical },
  { name: 'settings', label: 'Settings', path: '/settings', icon: Settings },
]
