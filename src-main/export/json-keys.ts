// Finds a key that an object of a JSON text names twice: `JSON.parse` silently keeps the last one, which lets two
// readers of one file see different things. Scans by hand: a pattern would run out of stack on very long strings.

/** Index behind the closing quote of the string that opens at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1
  return at + 1
}

/** The first repeated key in `json`, which must be valid JSON, or null. */
export function findDuplicateKey(json: string): string | null {
  /** Keys seen per open object; null for an open array. */
  const open: (Set<string> | null)[] = []
  let expectsKey = false
  for (let at = 0; at < json.length; at++) {
    const character = json[at]
    if (character === '{' || character === '[') {
      open.push(character === '{' ? new Set() : null)
      expectsKey = character === '{'
    } else if (character === '}' || character === ']') {
      open.pop()
      expectsKey = false
    } else if (character === ',') {
      expectsKey = open.at(-1) instanceof Set
    } else if (character === '"') {
      const end = endOfString(json, at)
      if (expectsKey) {
        const keys = open.at(-1)
        const key = JSON.parse(json.slice(at, end)) as string
        if (keys?.has(key)) return key
        keys?.add(key)
        expectsKey = false
      }
      at = end - 1
    }
  }
  return null
}
