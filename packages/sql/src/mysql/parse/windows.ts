/** ORDER BY, LIMIT and windows: shared by queries, functions and DML. */
import type {
  Expression,
  Frame,
  FrameBound,
  Identifier,
  Limit,
  OrderItem,
  WindowSpecification,
} from '../ast.ts'
import { type Cursor, node } from './cursor.ts'

/** `ORDER BY a, b DESC`, or nothing. */
export function orderBy(cursor: Cursor): OrderItem[] {
  return cursor.acceptAll('ORDER', 'BY') ? cursor.list(orderItem) : []
}

export function orderItem(cursor: Cursor): OrderItem {
  const { start } = cursor
  const expression = cursor.grammar.expression(cursor)
  const direction = cursor.acceptOne('ASC', 'DESC')
  return node(cursor, start, {
    kind: 'order-item',
    expression,
    descending: direction === 'desc',
  })
}

/** `LIMIT n`, `LIMIT m, n`, `LIMIT n OFFSET m`, MariaDB's ROWS EXAMINED and FETCH FIRST; or nothing. */
export function limit(cursor: Cursor): Limit | null {
  const { start } = cursor
  if (cursor.accept('LIMIT')) return limitClause(cursor, start)
  if (cursor.mariadb && (cursor.is('OFFSET') || cursor.is('FETCH')))
    return fetchClause(cursor, start)
  return null
}

function limitClause(cursor: Cursor, start: number): Limit {
  let count: Expression | null = null
  let offset: Expression | null = null
  if (!(cursor.mariadb && cursor.is('ROWS'))) {
    count = cursor.grammar.expression(cursor)
    if (cursor.accept(',')) {
      offset = count
      count = cursor.grammar.expression(cursor)
    } else if (cursor.accept('OFFSET')) offset = cursor.grammar.expression(cursor)
  }
  const examined =
    cursor.mariadb && cursor.acceptAll('ROWS', 'EXAMINED')
      ? cursor.grammar.expression(cursor)
      : null
  if (count === null && examined === null) cursor.fail('expected a number of rows')
  return node(cursor, start, { kind: 'limit', count, offset, examined, ties: false })
}

function fetchClause(cursor: Cursor, start: number): Limit {
  let offset: Expression | null = null
  if (cursor.accept('OFFSET')) {
    offset = cursor.grammar.expression(cursor)
    cursor.expectOne('ROW', 'ROWS')
  }
  let count: Expression | null = null
  let ties = false
  if (cursor.accept('FETCH')) {
    cursor.expectOne('FIRST', 'NEXT')
    if (!cursor.isOne('ROW', 'ROWS')) count = cursor.grammar.expression(cursor)
    cursor.expectOne('ROW', 'ROWS')
    if (cursor.acceptAll('WITH', 'TIES')) ties = true
    else cursor.expect('ONLY')
  }
  return node(cursor, start, { kind: 'limit', count, offset, examined: null, ties })
}

/** After OVER: a name, or a window in brackets. */
export function over(cursor: Cursor): Identifier | WindowSpecification {
  return cursor.is('(') ? windowSpecification(cursor) : cursor.name()
}

export function windowSpecification(cursor: Cursor): WindowSpecification {
  const { start } = cursor
  cursor.expect('(')
  const base = cursor.isName() && !startsClause(cursor) ? cursor.name() : null
  const partitionBy = cursor.acceptAll('PARTITION', 'BY')
    ? cursor.list(cursor.grammar.expression)
    : []
  const order = orderBy(cursor)
  const range = frame(cursor)
  cursor.expect(')')
  return node(cursor, start, { kind: 'window', base, partitionBy, orderBy: order, frame: range })
}

/** These are reserved; a base window cannot be called so. */
function startsClause(cursor: Cursor): boolean {
  return cursor.isOne('PARTITION', 'ORDER', 'ROWS', 'RANGE', 'GROUPS')
}

function frame(cursor: Cursor): Frame | null {
  const { start } = cursor
  const unit = cursor.acceptOne('ROWS', 'RANGE', 'GROUPS')
  if (unit === null) return null
  const between = cursor.accept('BETWEEN')
  const from = frameBound(cursor)
  if (between) cursor.expect('AND')
  const to = between ? frameBound(cursor) : null
  if (cursor.accept('EXCLUDE')) frameExclusion(cursor)
  return node(cursor, start, { kind: 'frame', unit, from, to })
}

function frameBound(cursor: Cursor): FrameBound {
  const { start } = cursor
  const bound = (at: FrameBound['at'], distance: Expression | null): FrameBound =>
    node(cursor, start, { kind: 'frame-bound', at, distance })
  if (cursor.acceptAll('CURRENT', 'ROW')) return bound('current row', null)
  if (cursor.accept('UNBOUNDED')) {
    const side = cursor.expectOne('PRECEDING', 'FOLLOWING')
    return bound(`unbounded ${side}`, null)
  }
  const distance = cursor.grammar.expression(cursor)
  return bound(cursor.expectOne('PRECEDING', 'FOLLOWING'), distance)
}

function frameExclusion(cursor: Cursor): void {
  if (cursor.acceptAll('CURRENT', 'ROW') || cursor.acceptAll('NO', 'OTHERS')) return
  cursor.expectOne('GROUP', 'TIES')
}
