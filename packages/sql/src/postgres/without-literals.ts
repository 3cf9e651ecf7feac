/**
 * A statement's text fit for a record that must hold no protected value: names, keywords and structure
 * stay, comments and, if need be, every string and number are replaced. Where a token does not end, the rest of the
 * text is dropped: what cannot be read is not kept. For people to read, not for parsing.
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

/** Stands for a comment. */
export const COMMENT = '/*…*/'
const REST = '…'

/** What stands for strings and numbers; null: they stay. */
interface Marks {
  readonly string: string | null
  readonly number: string | null
}
const WITHHELD: Marks = { string: "'…'", number: '…' }
const ALIKE: Marks = { string: "'…'", number: '0' }
const KEPT: Marks = { string: null, number: null }

/** Strings are read with backslash escapes: the longer reading, which can only hide more. */
const LONGEST = { backslash: true } as const
const PLAIN = { backslash: false } as const

/** Never throws and never returns a character of a literal or comment of `sql`. */
export const withoutLiterals = (sql: string): string => replaced(sql, WITHHELD)

/** The same, with numbers that the text could have: what texts that differ in literals have in common. */
export const literalsAlike = (sql: string): string => replaced(sql, ALIKE)

/** Never throws and never returns a character of a comment of `sql`. */
export const withoutComments = (sql: string): string => replaced(sql, KEPT)

function replaced(sql: string, marks: Marks): string {
  let out = ''
  let at = 0
  while (at < sql.length) {
    const [end, shown] = token(sql, at, marks)
    if (end <= at) return out + REST
    out += shown ?? sql.slice(at, end)
    at = end
  }
  return out
}

/** Offset after the token at `at` (not above it: unreadable), and what stands for it. */
function token(sql: string, at: number, marks: Marks): [end: number, shown: string | null] {
  const code = sql.charCodeAt(at)
  const next = sql.charCodeAt(at + 1)
  if (code === 39) return [endOfPlain(sql, at), marks.string]
  if (code === 34) return [endOfQuotedIdentifier(sql, at), null]
  if (code === 45 && next === 45) return [endOfLine(sql, at), COMMENT]
  if (code === 47 && next === 42) return [endOfComment(sql, at, COMMENT_DEPTH_MAX), COMMENT]
  if (code === 36) {
    const end = endOfDollar(sql, at)
    return [end, end === at + 1 || isDigit(next) ? null : marks.string]
  }
  if (isDigit(code) || (code === 46 && isDigit(next))) {
    return [endOfNumber(sql, at), marks.number]
  }
  if (isIdentifierStart(code)) {
    const end = endOfWord(sql, at)
    // E'…', B'…', X'…', N'…', U&'…': the letter goes with its string; U&"…" is a name.
    return sql.charCodeAt(end) === 39 ? [endOfPlain(sql, end), marks.string] : [end, null]
  }
  return [at + 1, null]
}

/** Where the string at `at` ends, by both readings of it; -1 where they differ or there is no end. */
function endOfPlain(sql: string, at: number): number {
  const plain = endOfString(sql, at, PLAIN)
  return plain === endOfString(sql, at, LONGEST) ? plain : -1
}
