// What the desktop app can tell about a dropped file and a browser can't.

/** Absolute path of a dropped file or folder, or null where the window may not know it. */
export function localPath(file: File): string | null {
  const path = window.gyreDesktop?.getPathForFile(file) ?? ''
  return path === '' ? null : path
}
