/**
 * A SELECT some of whose result columns are not computed: each of them is NULL under the name it has. Parameters in them
 * stay where they are, and a query that an aggregate in them makes one row of stays one row.
 *
 * NULL instead of a CASE around the expression: these servers compute aggregates and windows wherever they stand.
 */
import type { WithholdableColumn } from '../facts.ts'
import type { Dialect, Expression, Query, Select, SelectItem } from './ast.ts'
import { isAggregate } from './functions.ts'
import { soleStatement, treeText } from './same-tree.ts'

/** Names of columns are cut there by the server (characters); an alias may not be longer. */
const NAME_CHARACTERS_MAX = 256

/** Null: it is no SELECT of its own with these columns, or that is not certain. */
export function withholdMysql(
  sql: string,
  columns: readonly Pick<WithholdableColumn, 'at'>[],
  dialect: Dialect,
): string | null {
  const original = selectOf(soleStatement(sql, 'query', dialect)?.statement)
  const places = columns.map(({ at }) =>
    original?.items.findIndex(({ expression }) => expression.start === at),
  )
  // Without comments, as it is sent.
  const text = soleStatement(sql, 'query', dialect)?.text ?? ''
  const query = soleStatement(text, 'query', dialect)?.statement
  const select = selectOf(query)
  if (query === undefined || select === null) return null
  let made = text
  for (const place of places.toSorted((a = 0, b = 0) => b - a)) {
    const item = place === undefined ? undefined : select.items[place]
    if (item === undefined) return null
    made = `${made.slice(0, item.start)} ${withheld(text, item, select)} ${made.slice(item.end)}`
  }
  const again = soleStatement(made, 'query', dialect)
  const found = selectOf(again?.statement)
  if (again === null || found === null) return null
  const isMeant = found.items.every(
    (item, index) =>
      !places.includes(index) ||
      made.slice(item.start, item.end) === withheld(text, select.items[index]!, select),
  )
  const rest = { ...found, items: kept(found.items, places) }
  const meant = { ...select, items: kept(select.items, places) }
  const isSame =
    found.items.length === select.items.length &&
    treeText({ ...again.statement, body: rest }) === treeText({ ...query, body: meant })
  return isMeant && isSame ? again.text : null
}

const selectOf = (query: Query | undefined): Select | null =>
  query?.body.kind === 'select' ? query.body : null

const kept = (items: readonly SelectItem[], places: readonly (number | undefined)[]) =>
  items.filter((_, index) => !places.includes(index))

function withheld(text: string, { expression, alias, start, end }: SelectItem, select: Select) {
  const { parameters, aggregates } = heldBy(expression)
  const markers = new Array<string>(parameters).fill('?').join(', ')
  const none = parameters === 0 ? 'NULL' : `CASE WHEN FALSE THEN CONCAT(${markers}) END`
  const column = aggregates && select.groupBy === null ? `MAX(${none})` : none
  const name = [...(alias?.value ?? text.slice(start, end))].slice(0, NAME_CHARACTERS_MAX).join('')
  return `${column} AS \`${name.trimEnd().replaceAll('`', '``')}\``
}

/** Its parameters, and whether it aggregates the rows of the query that it stands in. */
function heldBy(root: Expression | SelectItem['expression']) {
  let parameters = 0
  let aggregates = false
  const walk = (node: unknown, isInside: boolean): void => {
    if (typeof node !== 'object' || node === null) return
    if (Array.isArray(node)) {
      for (const one of node) walk(one, isInside)
      return
    }
    const { kind } = node as { kind?: string }
    if (kind === 'parameter') parameters++
    if (kind === 'function' && !isInside && isAggregate(node as Parameters<typeof isAggregate>[0]))
      aggregates = true
    for (const child of Object.values(node)) walk(child, isInside || kind === 'query')
  }
  walk(root, false)
  return { parameters, aggregates }
}
