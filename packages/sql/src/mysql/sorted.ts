/**
 * A SELECT that is also sorted by some of its result columns, after what it sorts by itself, or by chance: whatever a
 * plan gives its rows in the order of, that is not told.
 *
 * RANDOM_BYTES and not RAND: the client can set, and compute, what RAND gives to which row. No index gives rows in an
 * order of chance either, so all of them are computed before LIMIT leaves some out.
 */
import type { SortKey } from '../facts.ts'
import type { Dialect } from './ast.ts'
import { soleStatement, treeText } from './same-tree.ts'

/** RANDOM_BYTES: MySQL 5.6.17, MariaDB 10.10.0. */
const CHANCE_VERSION = { mysql: 50_617, mariadb: 101_000 }
const CHANCE = 'RANDOM_BYTES(16)'

/** Null: it is no SELECT of its own, or that is not certain. */
export function sortedMysql(
  sql: string,
  keys: readonly SortKey[],
  dialect: Dialect,
): string | null {
  if (dialect.version < CHANCE_VERSION[dialect.flavour]) return null
  // Without comments, as it is sent.
  const text = soleStatement(sql, 'query', dialect)?.text ?? ''
  const query = soleStatement(text, 'query', dialect)?.statement
  if (query === undefined) return null
  const { orderBy, limit } = query
  const at = orderBy.at(-1)?.end ?? limit?.start ?? query.end
  const added = keys.map((key) => (key === 'chance' ? CHANCE : key)).join(', ')
  const made = `${text.slice(0, at)}${orderBy.length === 0 ? ' ORDER BY' : ','} ${added} ${text.slice(at)}`
  const again = soleStatement(made, 'query', dialect)
  if (again === null) return null
  const sorts = again.statement.orderBy
  const found = sorts.slice(orderBy.length).map((item) => made.slice(item.start, item.end))
  const isMeant =
    treeText({ ...again.statement, orderBy: sorts.slice(0, orderBy.length) }) === treeText(query) &&
    found.join(', ') === added
  return isMeant ? again.text : null
}
