/** Which rows an UPDATE or DELETE of one table is about, said so that they can be selected before and after it. */

import type { Delete, Update } from './ast/dml.ts'
import type { Dialect, Statement } from './ast.ts'
import { parseMysql } from './parse.ts'

/** As SQL, cut from the statement itself. */
export interface ChangedRows {
  /** The table, with its alias. */
  readonly table: string
  /** What the statement calls it. */
  readonly called: string
  /** A search condition; null: every row. */
  readonly where: string | null
  /** Lower-case names of the columns that it sets. */
  readonly assigned: readonly string[]
}

/** Null: it is no such statement, or which rows it takes is not decided by its WHERE alone. */
export function mysqlChangedRows(sql: string, dialect: Dialect): ChangedRows | null {
  const [parsed, ...more] = parseMysql(sql, dialect)
  const statement = parsed?.statement
  if (statement === undefined || more.length > 0 || !isChange(statement)) return null
  const { where, limit, portion } = statement
  const [table, ...others] = statement.kind === 'update' ? statement.tables : statement.from
  if (table?.kind !== 'table' || others.length > 0) return null
  if (statement.with !== null || limit !== null || portion !== null) return null
  if (table.systemTime !== null || table.sample !== null) return null
  if (statement.kind === 'delete' && (statement.history || statement.targets.length > 0))
    return null
  const assigned = statement.kind === 'update' ? statement.assignments : []
  const name = table.alias?.value ?? table.name.name.value
  return {
    table: sql.slice(table.start, table.end),
    called: `\`${name.replaceAll('`', '``')}\``,
    where: where === null ? null : sql.slice(where.start, where.end),
    assigned: assigned.map(({ column }) => column.name.value.toLowerCase()),
  }
}

const isChange = (statement: Statement): statement is Update | Delete =>
  statement.kind === 'update' || statement.kind === 'delete'
