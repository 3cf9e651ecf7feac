/**
 * Compares lineage with what the server says of a result: names and number of columns, and for every
 * column that the server traces to a stored one, that lineage names it, too.
 */
import type {
  AnalysisContext,
  Catalog,
  ColumnRef,
  Lineage,
  OutputColumn,
  PostgresReader,
  SessionNames,
} from '@sallyport/sql'
import { columnRef } from '@sallyport/sql'
import type { Field } from './describe.ts'

export const PUBLIC: SessionNames = {
  searchPath: ['public'],
  temporaries: new Map(),
  temporariesCertain: true,
  prepared: () => undefined,
  cursors: () => undefined,
}

export function sourcesOf(lineage: Lineage): readonly ColumnRef[] {
  switch (lineage.kind) {
    case 'constant':
      return []
    case 'direct':
      return [lineage.source]
    default:
      return lineage.sources
  }
}

const same = (a: ColumnRef, b: ColumnRef) =>
  a.schema === b.schema && a.relation === b.relation && a.column === b.column

/** Does one of the refs stand for the column, by itself or by kin? */
export function names(refs: readonly ColumnRef[], wanted: ColumnRef): boolean {
  const all = (ref: ColumnRef) => [ref, ...(ref.kin ?? [])]
  return refs.some((ref) => all(ref).some((one) => all(wanted).some((other) => same(one, other))))
}

/** What is wrong with the outputs, or null. `unknown` outputs are never wrong, only strict. */
export function mismatch(
  reader: PostgresReader,
  catalog: Catalog,
  { outputs, fields }: { outputs: readonly OutputColumn[] | 'unknown'; fields: readonly Field[] },
): string | null {
  if (outputs === 'unknown') return null
  const ours = outputs.map((output) => output.name).join()
  const theirs = fields.map((field) => field.name).join()
  if (ours !== theirs) return `columns ${ours} instead of ${theirs}`
  for (const [index, field] of fields.entries()) {
    const lineage = outputs[index]!.lineage
    const relation = catalog.relationById(field.tableID)
    const column = relation?.columns.find((entry) => entry.number === field.columnID)
    if (relation === undefined || column === undefined || lineage.kind === 'unknown') continue
    const wanted = wantedRefs(reader, catalog, {
      schema: relation.schema,
      relation: relation.name,
      column: column.name,
    })
    for (const ref of wanted) {
      if (!names(sourcesOf(lineage), ref)) {
        return `${field.name} is ${ref.relation}.${ref.column}, lineage ${JSON.stringify(lineage)}`
      }
    }
  }
  return null
}

/** The stored columns behind a column that the server names: itself, or what its view shows. */
function wantedRefs(
  reader: PostgresReader,
  catalog: Catalog,
  at: { schema: string; relation: string; column: string },
): readonly ColumnRef[] {
  const relation = catalog.relation(at.schema, at.relation)
  if (relation?.kind !== 'view') return [columnRef(catalog, at) ?? at]
  const quote = (name: string) => `"${name.replaceAll('"', '""')}"`
  const sql = `SELECT ${quote(at.column)} FROM ${quote(at.schema)}.${quote(at.relation)}`
  const context: AnalysisContext = { catalog, names: PUBLIC }
  const analysis = reader.analyze(sql, context)
  if (analysis.kind !== 'statements') throw new Error(`cannot analyse ${sql}`)
  const outputs = analysis.statements[0]?.outputs
  return outputs === 'unknown' || outputs == null ? [] : sourcesOf(outputs[0]!.lineage)
}
