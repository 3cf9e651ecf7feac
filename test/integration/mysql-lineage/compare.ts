/**
 * What is wrong with the facts of a statement, by the server's own word: names and number of columns, what result
 * metadata traces to a stored column, and what a change of data changes.
 */
import { type Catalog, type ColumnRef, columnRef, type StatementFacts } from '@sallyport/sql'
import type { Connection, FieldPacket, RowDataPacket } from 'mysql2/promise'
import { names, sourcesOf } from '../lineage/compare.ts'
import { COLUMNS } from './schema.ts'

export interface Answer {
  readonly rows: readonly (readonly unknown[])[]
  readonly fields: readonly FieldPacket[]
}

/** Null: the server refuses it. */
export async function answerOf(connection: Connection, sql: string): Promise<Answer | null> {
  try {
    const [rows, fields] = await connection.query<RowDataPacket[]>({ sql, rowsAsArray: true })
    // With rowsAsArray every row is an array.
    return { rows: rows as unknown as unknown[][], fields }
  } catch {
    return null
  }
}

/** `unknown` outputs are never wrong, only strict. */
export function mismatch(
  catalog: Catalog,
  facts: StatementFacts,
  { fields }: Answer,
): string | null {
  const { outputs } = facts
  if (outputs === 'unknown' || outputs === null) return null
  const ours = outputs.map((output) => output.name).join('|')
  // Where two outputs are one column, a temporary table may give one of them the name of the other.
  const isTwin = (index: number, name: string): boolean =>
    outputs.some(
      (other) =>
        other.name === name &&
        JSON.stringify(other.lineage) === JSON.stringify(outputs[index]?.lineage),
    )
  // A name with literals in it is not among the facts.
  const theirs = fields
    .map(({ name }, index) =>
      outputs[index]?.name === '?' ? '?' : isTwin(index, name) ? outputs[index]?.name : name,
    )
    .join('|')
  if (ours !== theirs) return `columns ${ours} instead of ${theirs}`
  for (const [index, { schema, db, orgTable, orgName }] of fields.entries()) {
    const at = { schema: schema ?? db ?? '', relation: orgTable, column: orgName }
    const ref = columnRef(catalog, at)
    const lineage = outputs[index]!.lineage
    // A derived table's alias may be told as a column of the table behind it: then there is none such.
    if (ref === undefined || lineage.kind === 'unknown' || isView(catalog, at)) continue
    if (!names(sourcesOf(lineage), ref))
      return `${orgTable}.${orgName} is not a source of column ${index + 1}`
  }
  return null
}

function isView(catalog: Catalog, { schema, relation }: { schema: string; relation: string }) {
  return catalog.relation(schema, relation)?.kind === 'view'
}

/** A dependency that the facts do not know of, or null. */
export async function changedBy(
  connection: Connection,
  catalog: Catalog,
  { sql, facts, database }: { sql: string; facts: StatementFacts; database: string },
): Promise<string | null> {
  const before = await answerOf(connection, sql)
  if (before === null) return null
  for (const column of COLUMNS) {
    const [relation = '', name = ''] = column.split('.')
    const ref = columnRef(catalog, { schema: database, relation, column: name })
    if (ref === undefined) throw new Error(`no column ${column}`)
    if (explainsAll(facts, ref)) continue
    const after = await answerAfterChange(connection, column, sql)
    const problem = after === null ? null : unexplained(ref, { column, before, after, facts })
    if (problem !== null) return problem
  }
  return null
}

/** A condition over the column may change which rows there are, and so anything. */
function explainsAll({ outputs, uses }: StatementFacts, ref: ColumnRef): boolean {
  if (outputs === null || outputs === 'unknown') return true
  if (uses.some((use) => names([use.column], ref))) return true
  return outputs.every(
    ({ lineage }) => lineage.kind === 'unknown' || names(sourcesOf(lineage), ref),
  )
}

/** Every letter becomes another one. */
const CHANGED = ['a', 'b', 'c', 'd', 'e', 'f', '1', '2', '3']
  .map((from, i) => `WHEN '${from}' THEN '${'bxdafc4a1'[i]}'`)
  .join(' ')

async function answerAfterChange(
  connection: Connection,
  column: string,
  sql: string,
): Promise<Answer | null> {
  const [table, name] = column.split('.')
  await connection.query('START TRANSACTION')
  try {
    await connection.query(`UPDATE ${table} SET ${name} = CASE ${name} ${CHANGED} ELSE ${name} END`)
    return await answerOf(connection, sql)
  } finally {
    await connection.query('ROLLBACK')
  }
}

function unexplained(
  ref: ColumnRef,
  o: { column: string; before: Answer; after: Answer; facts: StatementFacts },
): string | null {
  const { outputs } = o.facts
  if (outputs === null || outputs === 'unknown') return null
  if (o.before.rows.length !== o.after.rows.length) return `rows depend on ${o.column}`
  for (const [index, { name: output, lineage }] of outputs.entries()) {
    if (lineage.kind === 'unknown' || names(sourcesOf(lineage), ref)) continue
    const values = ({ rows }: Answer) =>
      rows
        .map((row) => String(row[index]))
        .sort()
        .join()
    if (values(o.before) !== values(o.after)) return `${output} depends on ${o.column}`
  }
  return null
}
