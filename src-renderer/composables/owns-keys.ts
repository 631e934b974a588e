// Whether the focused element has its own use for Space and the arrow keys, or a dialog is open. Links have none: they
// open with Enter, and one that was clicked keeps the focus on the page it has led to.

const interactive =
  'input, textarea, select, button, [contenteditable], [role="slider"], [role="radio"], [role="tab"], [role="grid"], [role="dialog"]'

export function ownsKeys(target: EventTarget | null): boolean {
  if (document.querySelector('[role="dialog"]')) return true
  return target instanceof Element && target.closest(interactive) !== null
}
