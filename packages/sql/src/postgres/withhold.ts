/**
 * Texts whose computed result columns are not computed: `expression` becomes `CASE WHEN false THEN expression END`. The
 * server gives the column the type it would have, and drops the expression before anything of it is evaluated, so
 * nothing of it can fail, sort or take long.
 *
 * Texts are spliced, never made from trees. What was made is parsed again, and must be the tree that is meant:
 * the same one but for these columns.
 */
import type { RawStmt } from 'libpg-query'
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
import type { Parser } from './parse.ts'

/** A result column to be withheld: where its expression begins (UTF-8 bytes), and what it is called. */
export interface WithheldTarget {
  readonly at: number
  readonly name: string
}

/** Of `original`, which is the tree of `sql`. Null: it cannot be done with certainty. */
export function withhold(
  parser: Parser,
  { sql, original }: { readonly sql: string; readonly original: readonly RawStmt[] },
  targets: readonly WithheldTarget[],
): string | null {
  // One character a byte, as the tree counts.
  const bytes = Buffer.from(sql, 'utf8').toString('latin1')
  let made = bytes
  let before = bytes.length
  const done = new Map<number, string>()
  for (const { at, name } of outermost(bytes, targets).toReversed()) {
    const span = spanOf(bytes, at)
    if (span === null || span.end > before) return null
    const alias = `"${Buffer.from(name.replaceAll('"', '""'), 'utf8').toString('latin1')}"`
    const expression = `CASE WHEN false THEN ${bytes.slice(at, span.end)} END`
    const column = span.named ? expression : `${expression} AS ${alias}`
    made = made.slice(0, at) + column + made.slice(span.end)
    done.set(at, name)
    before = at
  }
  const text = Buffer.from(made, 'latin1').toString('utf8')
  const result = parser.parse(text)
  if (result.kind !== 'tree') return null
  return isMeant(original, result.statements, done) ? text : null
}

/** What is inside of another column that is withheld needs nothing of its own. */
function outermost(bytes: string, targets: readonly WithheldTarget[]): WithheldTarget[] {
  const kept: WithheldTarget[] = []
  let end = 0
  for (const target of targets.toSorted((a, b) => a.at - b.at)) {
    if (target.at < end) continue
    kept.push(target)
    end = spanOf(bytes, target.at)?.end ?? end
  }
  return kept
}

interface Token {
  readonly start: number
  readonly end: number
  /** A word in lower case, or one character; empty for anything else. */
  readonly word: string
}

/** Words that end a select list, outside of brackets. */
const ENDING = new Set(
  'from into where group having window union intersect except order limit offset fetch for'.split(
    ' ',
  ),
)

/** From `start` to the end of a select list's element, without its label. `named`: it has one. */
function spanOf(bytes: string, start: number): { readonly end: number; named: boolean } | null {
  const tokens: Token[] = []
  let depth = 0
  for (let at = start; ; ) {
    const token = tokenAt(bytes, at)
    if (token === null) return null
    const { word } = token
    const last = tokens.at(-1)?.word
    if (depth === 0) {
      if (word === 'as') return tokens.length === 0 ? null : { end: endOf(tokens), named: true }
      const isName = last === '.'
      const within =
        (word === 'from' && last === 'distinct') || (word === 'group' && last === 'within')
      const closes = token.start === bytes.length || word === ',' || word === ')' || word === ';'
      if (closes || (ENDING.has(word) && !isName && !within)) break
    }
    if (word === '(' || word === '[') depth++
    if (word === ')' || word === ']') depth--
    tokens.push(token)
    at = token.end
  }
  if (tokens.length === 0) return null
  const label = tokens.length > 1 ? tokens.at(-1) : undefined
  const before = tokens.at(-2)
  const isLabel = label !== undefined && isLabelAfter(before, label, bytes)
  return isLabel ? { end: before?.end ?? start, named: true } : { end: endOf(tokens), named: false }
}

const endOf = (tokens: readonly Token[]): number => tokens.at(-1)?.end ?? 0

/** Two operands with nothing between them: the second is a label. Whether it is, the tree tells. */
function isLabelAfter(before: Token | undefined, label: Token, bytes: string): boolean {
  const first = bytes.charCodeAt(label.start)
  if (!isIdentifierStart(first) && first !== 34) return false
  if (before === undefined || label.word === 'end' || label.word === 'null') return false
  const operand = before.word === '' || before.word === ')' || before.word === ']'
  return operand || (/^[a-z_\x80-\xff]/.test(before.word) && !OPERATOR_WORDS.has(before.word))
}
const OPERATOR_WORDS = new Set(
  'and or not is like ilike similar between in over collate at time zone isnull distinct from to'.split(
    ' ',
  ),
)

/** The token at or after `from`; at the end of the text an empty one. Null: the text ends inside one. */
function tokenAt(bytes: string, from: number): Token | null {
  let start = from
  for (;;) {
    const code = bytes.charCodeAt(start)
    const next = bytes.charCodeAt(start + 1)
    if (isSpace(code)) start++
    else if (code === 45 && next === 45) start = endOfLine(bytes, start)
    else if (code === 47 && next === 42) {
      start = endOfComment(bytes, start, COMMENT_DEPTH_MAX)
      if (start < 0) return null
    } else break
  }
  if (start >= bytes.length) return { start: bytes.length, end: bytes.length, word: '' }
  const code = bytes.charCodeAt(start)
  const token = (end: number, word = ''): Token | null => (end < 0 ? null : { start, end, word })
  if (code === 39) return token(endOfString(bytes, start, { backslash: false }))
  if (code === 34) return token(endOfQuotedIdentifier(bytes, start))
  if (code === 36) return token(endOfDollar(bytes, start))
  if (isDigit(code) || (code === 46 && isDigit(bytes.charCodeAt(start + 1)))) {
    return token(endOfNumber(bytes, start))
  }
  if (!isIdentifierStart(code)) return token(start + 1, bytes[start])
  const end = endOfWord(bytes, start)
  const word = bytes.slice(start, end).toLowerCase()
  if (bytes.charCodeAt(end) !== 39 || !/^[ebxn]$/.test(word)) return token(end, word)
  return token(
    endOfString(bytes, end, { backslash: word === 'e', doubled: word === 'e' || word === 'n' }),
  )
}

type Json = Readonly<Record<string, unknown>>

const PLACES = new Set([
  'location',
  'stmt_location',
  'stmt_len',
  'list_start',
  'list_end',
  'rexpr_list_start',
  'rexpr_list_end',
])

/** Is `made` the tree `original` with these result columns withheld, and nothing else? */
function isMeant(original: unknown, made: unknown, withheld: ReadonlyMap<number, string>): boolean {
  if (Array.isArray(original) || Array.isArray(made)) {
    if (!Array.isArray(original) || !Array.isArray(made)) return false
    return (
      original.length === made.length &&
      original.every((one, index) => isMeant(one, made[index], withheld))
    )
  }
  if (typeof original !== 'object' || typeof made !== 'object') return original === made
  if (original === null || made === null) return original === made
  const one = original as Json
  const other = made as Json
  const keys = (node: Json): string[] => Object.keys(node).filter((key) => !PLACES.has(key))
  const ours = keys(one)
  if (ours.length !== keys(other).length) return false
  return ours.every((key) => {
    const [a, b] = [one[key], other[key]]
    const target = key === 'ResTarget' ? (a as Json) : null
    const name = target === null ? undefined : withheld.get(target['location'] as number)
    if (target === null || name === undefined) return isMeant(a, b, withheld)
    return isWithheld(target, b as Json, name)
  })
}

function isWithheld(target: Json, made: Json, name: string): boolean {
  if (made['name'] !== (target['name'] ?? name)) return false
  const { CaseExpr: wrapped } = (made['val'] ?? {}) as { CaseExpr?: Json }
  const [only, ...others] = (wrapped?.['args'] ?? []) as { CaseWhen?: Json }[]
  if (wrapped?.['arg'] !== undefined || wrapped?.['defresult'] !== undefined || others.length > 0)
    return false
  const constant = (only?.CaseWhen?.['expr'] as { A_Const?: Json } | undefined)?.A_Const
  const value = constant?.['boolval'] as Json | undefined
  if (value === undefined || value['boolval'] === true || constant?.['isnull'] === true)
    return false
  return isMeant(target['val'], only?.CaseWhen?.['result'], NONE)
}
const NONE: ReadonlyMap<number, string> = new Map()
