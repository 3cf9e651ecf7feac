/**
 * A statement's text fit for a record that must hold no protected value: names, keywords and structure
 * stay, every string, number and comment is replaced. Where a token does not end, the rest of the text is
 * dropped: what cannot be read is not kept. For people to read, not for parsing.
 */
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
} from './lexical.ts'
import { COMMENT_DEPTH_MAX } from './limits.ts'

const STRING = "'…'"
const NUMBER = '0'
/** Stands for a comment. */
export const COMMENT = '/*…*/'
const REST = '…'

/** Strings are read with backslash escapes: the longer reading, which can only hide more. */
const LONGEST = { backslash: true } as const
const PLAIN = { backslash: false } as const

/** Never throws and never returns a character of a literal or comment of `sql`. */
export function withoutLiterals(sql: string): string {
  let out = ''
  let at = 0
  while (at < sql.length) {
    const [end, shown] = token(sql, at)
    if (end <= at) return out + REST
    out += shown ?? sql.slice(at, end)
    at = end
  }
  return out
}

/** Offset after the token at `at` (not above it: unreadable), and what stands for it. */
function token(sql: string, at: number): [end: number, shown: string | null] {
  const code = sql.charCodeAt(at)
  const next = sql.charCodeAt(at + 1)
  if (code === 39) return string(sql, at)
  if (code === 34) return [endOfQuotedIdentifier(sql, at), null]
  if (code === 45 && next === 45) return [endOfLine(sql, at), COMMENT]
  if (code === 47 && next === 42) return [endOfComment(sql, at, COMMENT_DEPTH_MAX), COMMENT]
  if (code === 36) {
    const end = endOfDollar(sql, at)
    return [end, end === at + 1 || isDigit(next) ? null : STRING]
  }
  if (isDigit(code) || (code === 46 && isDigit(next))) return [endOfNumber(sql, at), NUMBER]
  if (isIdentifierStart(code)) {
    const end = endOfWord(sql, at)
    // E'…', B'…', X'…', N'…', U&'…': the letter goes with its string; U&"…" is a name.
    return sql.charCodeAt(end) === 39 ? string(sql, end) : [end, null]
  }
  return [at + 1, null]
}

/** Both readings of the string at `at` must end, and at the same place. */
function string(sql: string, at: number): [number, string] {
  const plain = endOfString(sql, at, PLAIN)
  return [plain === endOfString(sql, at, LONGEST) ? plain : -1, STRING]
}
