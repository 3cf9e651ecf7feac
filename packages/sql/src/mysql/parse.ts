/**
 * A client's text to statements: lexed by its dialect, parsed completely, each with the text to send for it.
 * What is not fully understood is refused with a position and a reason.
 */
import type { Dialect, ParsedStatement, Statement } from './ast.ts'
import { SqlError } from './errors.ts'
import { lex } from './lex/lexer.ts'
import type { Token } from './lex/token.ts'
import { STATEMENTS_MAX } from './limits.ts'
import { Cursor, type Grammar } from './parse/cursor.ts'
import { expression, operators } from './parse/expressions.ts'
import { query, queryAfter } from './parse/queries.ts'
import { statement } from './parse/statements.ts'
import { serialise } from './serialise.ts'
import { checkHeight } from './tree-height.ts'

const GRAMMAR: Grammar = {
  expression,
  arithmetic: operators,
  query,
  queryAfter,
  statement,
  prepared: preparedText,
}

/**
 * All statements of a text, at least one. Text without a token is refused, as the servers do; text of comments
 * only is an `empty` statement. Throws SqlError.
 */
export function parseMysql(sql: string, dialect: Dialect): readonly ParsedStatement[] {
  return parseTokens(sql, lex(sql, dialect), dialect)
}

/** The same, of a text that has been lexed: `tokens` are its. Throws SqlError. */
export function parseTokens(
  sql: string,
  tokens: readonly Token[],
  dialect: Dialect,
): readonly ParsedStatement[] {
  const cursor = new Cursor(tokens, dialect, { grammar: GRAMMAR, prepared: false })
  const statements: ParsedStatement[] = []
  do {
    const { token } = cursor
    if (token.type === 'end') {
      // A comment alone is a statement to the servers; white space behind the last semicolon is not.
      if (token.gap === 'comment') statements.push(empty(token))
      break
    }
    if (statements.length === STATEMENTS_MAX)
      throw new SqlError('too-large', `more than ${STATEMENTS_MAX} statements`, token.start)
    statements.push(one(sql, cursor))
  } while (nextStatement(cursor))
  if (statements.length === 0) throw new SqlError('syntax', 'no statement', 0)
  return statements
}

/** Takes the semicolon, and further ones where nothing else follows; false at the end of the text. */
function nextStatement(cursor: Cursor): boolean {
  if (cursor.atEnd()) return false
  if (!cursor.accept(';')) cursor.fail('expected the end of the statement')
  while (cursor.is(';') && endsIn(cursor)) cursor.next()
  return true
}

/** Only semicolons follow. */
function endsIn(cursor: Cursor): boolean {
  return cursor.peek().type === 'end' || cursor.peek().key === ';'
}

function empty({ start, end }: Token): ParsedStatement {
  return { statement: { kind: 'empty', start, end }, text: '/* */', parameters: 0 }
}

function one(sql: string, cursor: Cursor): ParsedStatement {
  const first = cursor.at
  cursor.parameters = 0
  cursor.chained = 0
  const parsed = statement(cursor)
  checkHeight(parsed, cursor.chained)
  const text = serialise(sql, cursor.tokens.slice(first, cursor.at), cursor.dialect)
  return { statement: parsed, text, parameters: cursor.parameters }
}

/** PREPARE's literal: one statement, and none that prepares in turn. */
function preparedText(text: string, outer: Cursor): { statement: Statement; parameters: number } {
  if (outer.prepared) outer.fail('a prepared statement cannot prepare')
  const tokens = lex(text, outer.dialect)
  const cursor = new Cursor(tokens, outer.dialect, { grammar: GRAMMAR, prepared: true })
  const parsed = statement(cursor)
  cursor.accept(';')
  if (!cursor.atEnd()) outer.fail('the text to prepare is more than a statement')
  checkHeight(parsed, cursor.chained)
  return { statement: parsed, parameters: cursor.parameters }
}
