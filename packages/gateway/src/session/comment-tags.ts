/**
 * Tags in a comment before or behind a statement, as sqlcommenter writes them:
 * `/*reason='month end',langgraph_node='bookkeeper'*\/`. Asserted by whoever wrote the text, proven by nobody.
 *
 * Spec: google.github.io/sqlcommenter/spec.
 */

/** Text looked at from either end, UTF-16 code units. */
const COMMENT_CHARS_MAX = 4_096
const TAGS_MAX = 32
const TAG = /\s*([A-Za-z_][\w.%-]*)\s*=\s*'((?:[^'\\]|\\.)*)'\s*(?:,|$)/y

export function commentTags(text: string): ReadonlyMap<string, string> {
  const tags = new Map<string, string>()
  const first = /^\s*\/\*([^*]*)\*\//.exec(text.slice(0, COMMENT_CHARS_MAX))
  const last = /\/\*([^*]*)\*\/[\s;]*$/.exec(text.slice(-COMMENT_CHARS_MAX))
  for (const found of [first, last]) if (found !== null) readTags(found[1] ?? '', tags)
  return tags
}

function readTags(comment: string, tags: Map<string, string>): void {
  TAG.lastIndex = 0
  while (tags.size < TAGS_MAX) {
    const match = TAG.exec(comment)
    if (match === null) return
    const name = decoded(match[1] ?? '')
    const value = decoded((match[2] ?? '').replaceAll(/\\(.)/g, '$1'))
    if (name !== null && value !== null) tags.set(name, value)
  }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
