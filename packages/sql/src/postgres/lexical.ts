/**
 * Where PostgreSQL's tokens end, as scan.l of PostgreSQL 18 has it with standard_conforming_strings on:
 * the parts that the pre-scan and the fingerprint share. Every function takes the offset of the token's
 * first character and returns the offset after it, or -1 when the text ends inside it.
 */

export const isSpace = (code: number) => code === 32 || (code >= 9 && code <= 13)
export const isDigit = (code: number) => code >= 48 && code <= 57
export const isIdentifierStart = (code: number) =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code >= 128
export const isIdentifierPart = (code: number) =>
  isIdentifierStart(code) || isDigit(code) || code === 36

export interface StringKind {
  /** E'...': a backslash takes the next character along. */
  readonly backslash: boolean
  /** Not in B'...' and X'...': two quotes are one inside the string. */
  readonly doubled?: boolean
}

/** `'...'`, continued over a line break if so written. */
export function endOfString(sql: string, start: number, kind: StringKind): number {
  let at = start + 1
  for (;;) {
    const code = sql.charCodeAt(at)
    if (at >= sql.length) return -1
    if (code === 92 && kind.backslash) at += 2
    else if (code !== 39) at++
    else if (sql.charCodeAt(at + 1) === 39 && kind.doubled !== false) at += 2
    else {
      const next = continuation(sql, at + 1)
      if (next === -1) return at + 1
      at = next + 1
    }
  }
}

/**
 * Offset of the quote that continues a string after white space with a line break, or -1. The server also
 * allows comments in between; the parser does not, and refuses the text.
 */
function continuation(sql: string, from: number): number {
  let at = from
  let newline = false
  for (;;) {
    const code = sql.charCodeAt(at)
    if (code === 10 || code === 13) newline = true
    if (!isSpace(code)) return code === 39 && newline ? at : -1
    at++
  }
}

/** `"..."` with doubled quotes. */
export function endOfQuotedIdentifier(sql: string, start: number): number {
  let at = start + 1
  for (;;) {
    at = sql.indexOf('"', at)
    if (at === -1) return -1
    if (sql.charCodeAt(at + 1) !== 34) return at + 1
    at += 2
  }
}

/** `-- ...` up to, not including, the line break. */
export function endOfLine(sql: string, start: number): number {
  let at = start
  while (at < sql.length) {
    const code = sql.charCodeAt(at)
    if (code === 10 || code === 13) return at
    at++
  }
  return at
}

/** A block comment with nested ones; -2 when they nest deeper than `depthMax`. */
export function endOfComment(sql: string, start: number, depthMax: number): number {
  let depth = 1
  let at = start + 2
  while (at < sql.length) {
    const code = sql.charCodeAt(at)
    if (code === 42 && sql.charCodeAt(at + 1) === 47) {
      at += 2
      if (--depth === 0) return at
    } else if (code === 47 && sql.charCodeAt(at + 1) === 42) {
      at += 2
      if (++depth > depthMax) return -2
    } else at++
  }
  return -1
}

/**
 * What a `$` outside an identifier begins: the end of a `$tag$...$tag$` string, of a parameter `$1`, or
 * `start + 1` when it begins nothing; -1 when the string does not end.
 */
export function endOfDollar(sql: string, start: number): number {
  let at = start + 1
  if (isDigit(sql.charCodeAt(at))) {
    while (isDigit(sql.charCodeAt(at))) at++
    return at
  }
  if (isIdentifierStart(sql.charCodeAt(at))) {
    at++
    while (sql.charCodeAt(at) !== 36 && isIdentifierPart(sql.charCodeAt(at))) at++
  }
  if (sql.charCodeAt(at) !== 36) return start + 1
  const tag = sql.slice(start, at + 1)
  const end = sql.indexOf(tag, at + 1)
  return end === -1 ? -1 : end + tag.length
}

/** An identifier or keyword. */
export function endOfWord(sql: string, start: number): number {
  let at = start + 1
  while (at < sql.length && isIdentifierPart(sql.charCodeAt(at))) at++
  return at
}

/** Digits, letters, underscores and dots of a number; the parser refuses what is not one. */
export function endOfNumber(sql: string, start: number): number {
  let at = start + 1
  for (;;) {
    const code = sql.charCodeAt(at)
    if (isDigit(code) || code === 46 || code === 95) at++
    else if ((code | 32) >= 97 && (code | 32) <= 122) at++
    else if ((code === 43 || code === 45) && (sql.charCodeAt(at - 1) | 32) === 101) at++
    else return at
  }
}
