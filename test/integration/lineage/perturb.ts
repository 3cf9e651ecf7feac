/**
 * What a result depends on, found by changing data: every value of one base column is replaced, the query
 * runs again, and whatever changed must be explained by the statement's facts.
 */
import type { Catalog, StatementFacts } from '@sallyport/sql'
import { columnRef } from '@sallyport/sql'
import type pg from 'pg'
import { names, sourcesOf } from './compare.ts'
import { FUZZ_COLUMNS } from './generate.ts'

type Rows = unknown[][]

/** A dependency that the facts do not know of, or null. */
export async function changedBy(
  client: pg.Client,
  catalog: Catalog,
  sql: string,
  facts: StatementFacts,
): Promise<string | null> {
  const before = await rowsOf(client, sql)
  if (before === null) return null
  for (const column of FUZZ_COLUMNS) {
    const after = await rowsAfterChange(client, column, sql)
    if (after === null) continue
    const problem = unexplained(catalog, { column, before, after, facts })
    if (problem !== null) return problem
  }
  return null
}

async function rowsOf(client: pg.Client, sql: string): Promise<Rows | null> {
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' })
    return rows
  } catch {
    return null
  }
}

async function rowsAfterChange(
  client: pg.Client,
  column: string,
  sql: string,
): Promise<Rows | null> {
  const [table, name] = column.split('.')
  await client.query('begin')
  await client.query(
    `update ${table} set ${name} = translate(${name}, 'abcdefgh123', 'bxdafchg4a1')`,
  )
  const rows = await rowsOf(client, sql)
  await client.query('rollback')
  return rows
}

function unexplained(
  catalog: Catalog,
  o: { column: string; before: Rows; after: Rows; facts: StatementFacts },
): string | null {
  const [relation = '', name = ''] = o.column.split('.')
  const ref = columnRef(catalog, { schema: 'public', relation, column: name })
  if (ref === undefined) throw new Error(`no column ${o.column}`)
  const outputs = o.facts.outputs
  if (outputs === null || outputs === 'unknown') return null
  // A condition over the column may change which rows there are, and so anything.
  if (o.facts.uses.some((use) => names([use.column], ref))) return null
  if (o.before.length !== o.after.length) return `rows depend on ${o.column}`
  for (const [index, { name: output, lineage }] of outputs.entries()) {
    if (lineage.kind === 'unknown' || names(sourcesOf(lineage), ref)) continue
    const values = (rows: Rows) =>
      rows
        .map((row) => String(row[index]))
        .sort()
        .join()
    if (values(o.before) !== values(o.after)) return `${output} depends on ${o.column}`
  }
  return null
}
