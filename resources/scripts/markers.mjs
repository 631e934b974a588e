// Generated text in pages that are written by hand: it goes between `<!-- name -->` and `<!-- /name -->`.

function splitAt(text, marker) {
  const at = text.indexOf(marker)
  if (at < 0) throw new Error(`The page has no marker ${marker}.`)
  return [text.slice(0, at), text.slice(at + marker.length)]
}

/** The page with each text between its markers; a marker that is missing is an error. */
export function intoPage(page, texts) {
  let result = page
  for (const [name, text] of Object.entries(texts)) {
    const [before, rest] = splitAt(result, `<!-- ${name} -->`)
    const [, after] = splitAt(rest, `<!-- /${name} -->`)
    result = `${before}<!-- ${name} -->\n\n${text}\n\n<!-- /${name} -->${after}`
  }
  return result
}
