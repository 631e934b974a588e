// What the preload script of the desktop window offers; absent in a browser.
interface GyreDesktop {
  /** Asks the host for a port; it arrives as a `message` event with data `gyre-port`. */
  connect(): void
  /** Absolute path of a dropped file or folder. */
  getPathForFile(file: File): string
}

interface Window {
  readonly gyreDesktop?: GyreDesktop
}

// For tools that read TypeScript only; vue-tsc sees the components themselves.
declare module '*.vue' {
  import type { DefineComponent } from 'vue'
  const component: DefineComponent
  export default component
}
