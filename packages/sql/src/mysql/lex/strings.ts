/** Quoted strings and names: where they end, and what they say. */

const BACKSLASH = 92

/** Offset of the closing quote, -1 where there is none. `start` is just after the opening one. */
export function closingQuote(
  sql: string,
  start: number,
  { quote, backslash }: { quote: number; backslash: boolean },
): number {
  for (let at = start; at < sql.length; at++) {
    const code = sql.charCodeAt(at)
    if (code === quote) {
      if (sql.charCodeAt(at + 1) !== quote) return at
      at++
    } else if (backslash && code === BACKSLASH) at++
  }
  return -1
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  '0': '\0',
  Z: '\x1a',
  // They stand for themselves in patterns: the backslash stays.
  _: '\\_',
  '%': '\\%',
}

/** What is between the quotes, doubled quotes and escapes resolved. */
export function unquoted(
  sql: string,
  {
    start,
    end,
    quote,
    backslash,
  }: { start: number; end: number; quote: string; backslash: boolean },
): string {
  const raw = sql.slice(start, end)
  const escaped = backslash && raw.includes('\\')
  if (!escaped && !raw.includes(quote)) return raw
  if (!escaped) return raw.replaceAll(quote + quote, quote)
  let value = ''
  for (let at = 0; at < raw.length; at++) {
    const char = raw[at] as string
    if (char === '\\') {
      const next = raw[++at] as string
      value += ESCAPES[next] ?? next
    } else {
      value += char
      if (char === quote) at++
    }
  }
  return value
}
