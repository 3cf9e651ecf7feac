/** A prepared statement's text with values in the places of its markers, and what a plan does not say of an INSERT. */
import type { Dialect } from './ast.ts'
import { lex } from './lex/lexer.ts'
import { parseTokens } from './parse.ts'

/** `literals`: one for each marker, in order, as SQL. Null: there are not as many markers, or it cannot be read. */
export function withMysqlParameters(
  sql: string,
  literals: readonly string[],
  dialect: Dialect,
): string | null {
  try {
    const markers = lex(sql, dialect).filter(({ type }) => type === 'parameter')
    if (markers.length !== literals.length) return null
    let text = ''
    let at = 0
    for (const [i, { start, end }] of markers.entries()) {
      text += `${sql.slice(at, start)} ${literals[i]} `
      at = end
    }
    return text + sql.slice(at)
  } catch {
    return null
  }
}

/** The statements of a text, each as it was read. Null: it cannot be read. */
export function mysqlParts(sql: string, dialect: Dialect): readonly string[] | null {
  try {
    return parseTokens(sql, lex(sql, dialect), dialect).map(({ text }) => text)
  } catch {
    return null
  }
}

/** Rows in the VALUES of an INSERT or REPLACE; 1 where it has none (SET). */
export function mysqlValuesRows(sql: string, dialect: Dialect): number {
  let depth = 0
  let inValues = false
  let rows = 0
  for (const { type, key } of lex(sql, dialect)) {
    if (type === 'word' && depth === 0 && !inValues) inValues = key === 'VALUES' || key === 'VALUE'
    else if (type === 'word' && depth === 0 && key === 'ON') break
    if (key === '(') {
      if (inValues && depth === 0) rows++
      depth++
    } else if (key === ')') depth--
  }
  return Math.max(rows, 1)
}
