/** A text in its tokens, with what stands between them. */
import type { Piece } from '../layout.ts'
import {
  endOfComment,
  endOfDollar,
  endOfLine,
  endOfNumber,
  endOfQuotedIdentifier,
  endOfString,
  endOfWord,
  isDigit,
  isIdentifierStart,
  isSpace,
} from './lexical.ts'
import { COMMENT_DEPTH_MAX } from './limits.ts'

export interface Pieces {
  readonly pieces: readonly Piece[]
  /** What follows the last token. */
  readonly rest: string
}

/** Null: it cannot be read with certainty, whatever standard_conforming_strings is. Operators come character by character. */
export function piecesOf(sql: string): Pieces | null {
  const pieces: Piece[] = []
  let at = 0
  let from = 0
  while (at < sql.length) {
    const gap = endOfGap(sql, at)
    if (gap !== at) {
      if (gap < at) return null
      at = gap
      continue
    }
    const end = endOfToken(sql, at)
    if (end <= at) return null
    const text = sql.slice(at, end)
    pieces.push({ text, key: keyOf(text), gap: sql.slice(from, at) })
    at = end
    from = end
  }
  return { pieces, rest: sql.slice(from) }
}

/** White space or a comment; `at` where neither begins, -1 where it does not end. */
function endOfGap(sql: string, at: number): number {
  const code = sql.charCodeAt(at)
  const next = sql.charCodeAt(at + 1)
  if (isSpace(code)) return at + 1
  if (code === 45 && next === 45) return endOfLine(sql, at)
  if (code === 47 && next === 42) return endOfComment(sql, at, COMMENT_DEPTH_MAX)
  return at
}

function endOfToken(sql: string, at: number): number {
  const code = sql.charCodeAt(at)
  if (code === 39) return endOfCertainString(sql, at)
  if (code === 34) return endOfQuotedIdentifier(sql, at)
  if (code === 36) return endOfDollar(sql, at)
  if (isDigit(code) || (code === 46 && isDigit(sql.charCodeAt(at + 1)))) return endOfNumber(sql, at)
  if (!isIdentifierStart(code)) return at + 1
  const end = endOfWord(sql, at)
  // E'…', B'…', X'…', N'…': the letter goes with its string.
  return sql.charCodeAt(end) === 39 ? endOfCertainString(sql, end) : end
}

/** Where it ends whether or not backslashes escape. */
function endOfCertainString(sql: string, at: number): number {
  const end = endOfString(sql, at, { backslash: false })
  return end === endOfString(sql, at, { backslash: true }) ? end : -1
}

const keyOf = (text: string): string =>
  /^(?:[a-z_]+|[(),;.])$/i.test(text) ? text.toUpperCase() : ''
