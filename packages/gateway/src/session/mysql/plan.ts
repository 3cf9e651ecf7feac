/**
 * Plans of MySQL and MariaDB as estimates: numbers and names, never a constant.
 *
 * Rows come from the table that EXPLAIN answers with, which both servers have for every statement. MySQL is also
 * asked for FORMAT=JSON: it says what it costs, and in its second format how many rows a LIMIT leaves. MariaDB's
 * JSON (10.11) leaves quotes inside strings as they are, so that a constant of the statement could pass for a part
 * of the plan; it is not asked for.
 */

import type { Estimated } from '../../approvals/journal.ts'
import { counted } from '../../counted.ts'

const LINES_MAX = 40
const NAME_CHARS_MAX = 128
/** `id select_type table [partitions] type possible_keys key key_len ref rows filtered Extra`. */
const MARIADB_CELLS = 11
const MYSQL_CELLS = 12

type Row = readonly (string | null)[]

/** What is evaluated beside the rows, or put together from other rows of the plan. */
const BESIDE = /SUBQUERY|DERIVED|MATERIALIZED|RESULT|LATERAL/

export interface Explained {
  /** A row for each table of the plan. */
  readonly tables: readonly Row[]
  /** MySQL's FORMAT=JSON; null: not asked for. */
  readonly json: string | null
  /** Rows in the VALUES of an INSERT, which plans do not count; null: it is none. */
  readonly valuesRows: number | null
  /** A constant LIMIT, which MariaDB's rows leave out; null: none. */
  readonly limit: number | null
}

export function estimateFrom({ tables, json, valuesRows, limit }: Explained): Estimated {
  const plan: string[] = []
  /** Rows of each SELECT of a union, by its id. */
  const blocks = new Map<string, number>()
  for (const row of tables) {
    const cells = row.length === MYSQL_CELLS ? [...row.slice(0, 3), ...row.slice(4)] : row
    if (cells.length !== MARIADB_CELLS) return { kind: 'none', why: 'the plan could not be read' }
    const [id, kind, table, access, , key, , , scanned, filtered] = cells
    if (BESIDE.test(kind ?? '')) continue
    const rows = numberOf(scanned)
    if (plan.length < LINES_MAX) plan.push(sayTable({ table, access, key, rows }))
    const block = id ?? ''
    const share = (numberOf(filtered) ?? 100) / 100
    if (rows !== null) blocks.set(block, (blocks.get(block) ?? 1) * rows * share)
  }
  const said = jsonSays(json)
  const summed =
    blocks.size === 0 ? null : [...blocks.values()].reduce((sum, rows) => sum + rows, 0)
  // Tables come without rows where VALUES are inserted, and where nothing can match.
  const rows = said.rows ?? summed ?? valuesRows ?? 0
  const left = limit === null ? rows : Math.min(rows, limit)
  return { kind: 'estimate', rows: Math.round(left), cost: said.cost, plan }
}

/** Nothing but the numbers at its top: everything below may quote the statement. */
function jsonSays(json: string | null): {
  readonly rows: number | null
  readonly cost: number | null
} {
  try {
    const top = JSON.parse(json ?? 'null') as {
      readonly query_block?: { readonly cost_info?: { readonly query_cost?: unknown } }
      readonly query_plan?: {
        readonly estimated_rows?: unknown
        readonly estimated_total_cost?: unknown
      }
    } | null
    return {
      rows: numberOf(top?.query_plan?.estimated_rows),
      cost: numberOf(
        top?.query_plan?.estimated_total_cost ?? top?.query_block?.cost_info?.query_cost,
      ),
    }
  } catch {
    return { rows: null, cost: null }
  }
}

function sayTable(of: {
  readonly table: string | null | undefined
  readonly access: string | null | undefined
  readonly key: string | null | undefined
  readonly rows: number | null
}): string {
  const words = [of.table, of.access, ...(of.key ? ['by', of.key] : [])].filter((word) => word)
  const said = words.map((word) => word?.slice(0, NAME_CHARS_MAX)).join(' ')
  return of.rows === null ? said : `${said}, ${counted(of.rows, 'row')}`
}

/** Both servers write some of their numbers as strings. */
function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' ? Number.parseFloat(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : null
}
