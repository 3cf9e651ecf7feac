/** Statements of routine bodies; MariaDB runs most of them outside, too. */
import type {
  Block,
  CaseStatement,
  ConditionalBranch,
  Declaration,
  DiagnosticsItem,
  FetchCursor,
  ForLoop,
  GetDiagnostics,
  Identifier,
  If,
  RoutineStatement,
  Signal,
  Statement,
} from '../ast.ts'
import { startsQuery } from './brackets.ts'
import { type Cursor, node } from './cursor.ts'
import { variableOrLocal } from './into.ts'
import { statementOf } from './stored.ts'
import { dataType } from './types.ts'

/** Statements, each with its semicolon, up to one of the words. */
function statements(cursor: Cursor, ...ends: readonly string[]): RoutineStatement[] {
  const list: RoutineStatement[] = []
  while (!cursor.isOne(...ends)) {
    list.push(statementOf(cursor))
    cursor.expect(';')
  }
  return list
}

/** A statement that begins with `label:`. */
export function labelled(cursor: Cursor): Statement {
  const { start } = cursor
  const label = cursor.name()
  cursor.expect(':')
  cursor.inBody++
  const statement = labelledBody(cursor, label)
  cursor.inBody--
  return { ...statement, start }
}

function labelledBody(cursor: Cursor, label: Identifier): Statement {
  switch (cursor.token.key) {
    case 'BEGIN':
      return block(cursor, label)
    case 'LOOP':
      return loop(cursor, label)
    case 'WHILE':
      return whileLoop(cursor, label)
    case 'REPEAT':
      return repeat(cursor, label)
    case 'FOR':
      return forLoop(cursor, label)
    default:
      return cursor.fail('expected a block or a loop')
  }
}

function endLabel(cursor: Cursor, label: Identifier | null): void {
  if (label !== null && cursor.isName()) cursor.name()
}

export function block(cursor: Cursor, label: Identifier | null): Block {
  const { start } = cursor.expect('BEGIN')
  if (cursor.mariadb) cursor.acceptAll('NOT', 'ATOMIC')
  cursor.inBody++
  const declarations: Declaration[] = []
  while (cursor.is('DECLARE')) {
    declarations.push(declaration(cursor))
    cursor.expect(';')
  }
  const body = statements(cursor, 'END')
  cursor.expect('END')
  endLabel(cursor, label)
  cursor.inBody--
  return node(cursor, start, { kind: 'block', label, declarations, body })
}

function declaration(cursor: Cursor): Declaration {
  const { start } = cursor.expect('DECLARE')
  const action =
    cursor.peek().key === 'HANDLER' ? cursor.acceptOne('CONTINUE', 'EXIT', 'UNDO') : null
  if (action !== null) return handler(cursor, start, action)
  const names = cursor.list(nameOf)
  const [name] = names
  if (name !== undefined && names.length === 1) {
    if (cursor.acceptAll('CONDITION', 'FOR'))
      return node(cursor, start, { kind: 'declare-condition', name, condition: condition(cursor) })
    if (cursor.accept('CURSOR')) return cursorOf(cursor, start, name)
  }
  const type = dataType(cursor)
  const given =
    cursor.accept('DEFAULT') || cursor.accept(':=') ? cursor.grammar.expression(cursor) : null
  return node(cursor, start, { kind: 'declare-variables', names, type, default: given })
}

function cursorOf(cursor: Cursor, start: number, name: Identifier): Declaration {
  const parameters =
    cursor.mariadb && cursor.is('(')
      ? cursor.bracketed((inner) =>
          node(inner, inner.start, {
            kind: 'cursor-parameter',
            name: inner.name(),
            type: dataType(inner),
          }),
        )
      : []
  cursor.expect('FOR')
  const query = startsQuery(cursor) || cursor.is('(') ? cursor.grammar.query(cursor) : cursor.name()
  return node(cursor, start, { kind: 'declare-cursor', name, parameters, query })
}

function handler(cursor: Cursor, start: number, action: 'continue' | 'exit' | 'undo'): Declaration {
  cursor.expectAll('HANDLER', 'FOR')
  const conditions = cursor.list(condition)
  const body = statementOf(cursor)
  return node(cursor, start, { kind: 'declare-handler', action, conditions, body })
}

/** `SQLSTATE '42S02'`, `1051`, `NOT FOUND`, SQLEXCEPTION, SQLWARNING, a name. */
function condition(cursor: Cursor): string {
  if (cursor.accept('SQLSTATE')) {
    cursor.accept('VALUE')
    if (cursor.token.type !== 'string') cursor.fail('expected an SQLSTATE')
    return `SQLSTATE '${cursor.next().value}'`
  }
  if (cursor.acceptAll('NOT', 'FOUND')) return 'NOT FOUND'
  const word = cursor.acceptOne('SQLEXCEPTION', 'SQLWARNING')
  if (word !== null) return word.toUpperCase()
  if (cursor.token.type === 'integer') return cursor.next().value
  return cursor.name().value
}

export function ifStatement(cursor: Cursor): If {
  const { start } = cursor.expect('IF')
  cursor.inBody++
  const branches = [branch(cursor, 'ELSEIF', 'ELSE', 'END')]
  while (cursor.accept('ELSEIF')) branches.push(branch(cursor, 'ELSEIF', 'ELSE', 'END'))
  const otherwise = cursor.accept('ELSE') ? statements(cursor, 'END') : []
  cursor.expectAll('END', 'IF')
  cursor.inBody--
  return node(cursor, start, { kind: 'if', branches, otherwise })
}

function branch(cursor: Cursor, ...ends: readonly string[]): ConditionalBranch {
  const { start } = cursor
  const test = cursor.grammar.expression(cursor)
  cursor.expect('THEN')
  const body = statements(cursor, ...ends)
  return node(cursor, start, { kind: 'conditional-branch', condition: test, body })
}

export function caseStatement(cursor: Cursor): CaseStatement {
  const { start } = cursor.expect('CASE')
  cursor.inBody++
  const operand = cursor.is('WHEN') ? null : cursor.grammar.expression(cursor)
  const branches: ConditionalBranch[] = []
  while (cursor.accept('WHEN')) branches.push(branch(cursor, 'WHEN', 'ELSE', 'END'))
  if (branches.length === 0) cursor.fail('expected `WHEN`')
  const otherwise = cursor.accept('ELSE') ? statements(cursor, 'END') : []
  cursor.expectAll('END', 'CASE')
  cursor.inBody--
  return node(cursor, start, { kind: 'case-statement', operand, branches, otherwise })
}

export function loop(cursor: Cursor, label: Identifier | null): Statement {
  const { start } = cursor.expect('LOOP')
  cursor.inBody++
  const body = statements(cursor, 'END')
  cursor.expectAll('END', 'LOOP')
  endLabel(cursor, label)
  cursor.inBody--
  return node(cursor, start, { kind: 'loop', label, body })
}

export function whileLoop(cursor: Cursor, label: Identifier | null): Statement {
  const { start } = cursor.expect('WHILE')
  cursor.inBody++
  const test = cursor.grammar.expression(cursor)
  cursor.expect('DO')
  const body = statements(cursor, 'END')
  cursor.expectAll('END', 'WHILE')
  endLabel(cursor, label)
  cursor.inBody--
  return node(cursor, start, { kind: 'while', label, condition: test, body })
}

export function repeat(cursor: Cursor, label: Identifier | null): Statement {
  const { start } = cursor.expect('REPEAT')
  cursor.inBody++
  const body = statements(cursor, 'UNTIL')
  cursor.expect('UNTIL')
  const until = cursor.grammar.expression(cursor)
  cursor.expectAll('END', 'REPEAT')
  endLabel(cursor, label)
  cursor.inBody--
  return node(cursor, start, { kind: 'repeat', label, body, until })
}

/** MariaDB: over a range, a cursor or a query. */
export function forLoop(cursor: Cursor, label: Identifier | null): ForLoop {
  const { start } = cursor.expect('FOR')
  cursor.inBody++
  const variable = cursor.name()
  cursor.expect('IN')
  const reverse = cursor.acceptAll('REVERSE')
  const query = cursor.is('(') ? forQuery(cursor) : null
  const range = query === null ? forRange(cursor) : []
  cursor.expect('DO')
  const body = statements(cursor, 'END')
  cursor.expectAll('END', 'FOR')
  endLabel(cursor, label)
  cursor.inBody--
  return node(cursor, start, { kind: 'for', label, variable, reverse, range, query, body })
}

function forQuery(cursor: Cursor): ForLoop['query'] {
  cursor.expect('(')
  const query = cursor.grammar.query(cursor)
  cursor.expect(')')
  return query
}

function forRange(cursor: Cursor): ForLoop['range'] {
  const first = cursor.grammar.expression(cursor)
  return cursor.accept('..') ? [first, cursor.grammar.expression(cursor)] : [first]
}

/** LEAVE, ITERATE, RETURN, OPEN, CLOSE. */
export function leave(cursor: Cursor): Statement {
  const { start } = cursor
  const kind = cursor.expectOne('LEAVE', 'ITERATE')
  return node(cursor, start, { kind, label: cursor.name() })
}

export function returnStatement(cursor: Cursor): Statement {
  const { start } = cursor.expect('RETURN')
  return node(cursor, start, { kind: 'return', value: cursor.grammar.expression(cursor) })
}

export function openCursor(cursor: Cursor): Statement {
  const { start } = cursor.expect('OPEN')
  const name = cursor.name()
  // MariaDB: arguments of the cursor, or parameters of the prepared statement.
  const given = cursor.mariadb && cursor.is('(') ? cursor.bracketed(cursor.grammar.expression) : []
  const using =
    cursor.mariadb && cursor.accept('USING') ? cursor.list(cursor.grammar.expression) : []
  return node(cursor, start, { kind: 'open-cursor', name, arguments: [...given, ...using] })
}

export function closeCursor(cursor: Cursor): Statement {
  const { start } = cursor.expect('CLOSE')
  return node(cursor, start, { kind: 'close-cursor', name: cursor.name() })
}

export function fetch(cursor: Cursor): FetchCursor {
  const { start } = cursor.expect('FETCH')
  if (cursor.mariadb && cursor.acceptAll('GROUP', 'NEXT', 'ROW'))
    return node(cursor, start, { kind: 'fetch-cursor', name: null, into: [] })
  if (cursor.acceptAll('NEXT', 'FROM') || cursor.accept('FROM')) {
    // Words without a meaning of their own.
  }
  const name = cursor.name()
  cursor.expect('INTO')
  return node(cursor, start, { kind: 'fetch-cursor', name, into: cursor.list(variableOrLocal) })
}

export function signal(cursor: Cursor): Signal {
  const { start } = cursor
  const resignal = cursor.expectOne('SIGNAL', 'RESIGNAL') === 'resignal'
  const named = cursor.is('SQLSTATE') || cursor.isName()
  if (!named && !resignal) cursor.fail('expected an SQLSTATE')
  const raised = named ? condition(cursor) : null
  const items = cursor.accept('SET') ? cursor.list(diagnosticsItem) : []
  return node(cursor, start, { kind: 'signal', resignal, condition: raised, items })
}

function diagnosticsItem(cursor: Cursor): DiagnosticsItem {
  const { start } = cursor
  const name = cursor.name().value.toUpperCase()
  cursor.expect('=')
  const value = cursor.grammar.expression(cursor)
  return node(cursor, start, { kind: 'diagnostics-item', name, value })
}

export function getDiagnostics(cursor: Cursor): GetDiagnostics {
  const { start } = cursor.expect('GET')
  const area = cursor.acceptOne('CURRENT', 'STACKED') ?? 'current'
  cursor.expect('DIAGNOSTICS')
  const number = cursor.accept('CONDITION') ? cursor.grammar.arithmetic(cursor) : null
  const items = cursor.list(diagnosticsTarget)
  return node(cursor, start, { kind: 'get-diagnostics', area, condition: number, items })
}

function diagnosticsTarget(cursor: Cursor): DiagnosticsItem {
  const { start } = cursor
  const value = variableOrLocal(cursor)
  cursor.expect('=')
  // MariaDB's is reserved.
  const row = cursor.accept('ROW_NUMBER')
  const name = row ? 'ROW_NUMBER' : cursor.name().value.toUpperCase()
  return node(cursor, start, { kind: 'diagnostics-item', name, value })
}

function nameOf(cursor: Cursor): Identifier {
  return cursor.name()
}
