/** A small schema and shorthands for unit tests of the reader; not part of the package's surface. */
import { buildCatalog } from '../build-catalog.ts'
import type { Catalog, CatalogFunction, CatalogRelation } from '../catalog.ts'
import type { ColumnRef, ColumnUse, Lineage, StatementFacts } from '../facts.ts'
import type { SessionNames } from './context.ts'
import { PostgresReader } from './reader.ts'

export function relation(
  name: string,
  columns: string,
  more: Partial<CatalogRelation> = {},
): CatalogRelation {
  const [bare = '', schema = 'public'] = name.split('.').reverse()
  return {
    // One of a snapshot.
    id: 16_384,
    schema,
    name: bare,
    kind: 'table',
    columns: columns.split(' ').map((column, index) => {
      const [columnName = '', type = 'text'] = column.split(':')
      return { name: columnName, number: index + 1, type, typeId: 0 }
    }),
    parents: [],
    rules: false,
    triggers: false,
    rowSecurity: false,
    ...more,
  }
}

export function userFunction(name: string, more: Partial<CatalogFunction> = {}): CatalogFunction {
  return {
    id: 0,
    schema: 'public',
    name,
    volatility: 'immutable',
    language: 'sql',
    kind: 'function',
    securityDefiner: false,
    returnsSet: false,
    outputs: [],
    returnType: 'text',
    builtin: false,
    ...more,
  }
}

export const RELATIONS: readonly CatalogRelation[] = [
  relation(
    'people',
    'id:int4 name ssn:varchar email dept:int4 active:bool pay:numeric profile:jsonb',
  ),
  relation('orders', 'id:int4 person:int4 total:numeric note'),
  relation('dept', 'id:int4 title'),
  relation('contacts', 'id:int4 mail', {
    kind: 'view',
    definition:
      "SELECT people.id, people.email AS mail FROM public.people WHERE people.ssn LIKE '1%'",
  }),
  relation('cached', 'id:int4 mail low', {
    kind: 'materialized-view',
    definition: 'SELECT people.id, people.email, lower(people.name) FROM public.people',
  }),
  relation('loop', 'x', { kind: 'view', definition: 'SELECT loop.x FROM public.loop' }),
  relation('opaque', 'x', { kind: 'view', definition: 'SELECT this does not parse' }),
  relation('events', 'id:int4 payload:jsonb', { kind: 'partitioned-table' }),
  relation('events_1', 'payload:jsonb id:int4', { parents: ['public.events'] }),
  relation('events_2', 'id:int4 payload:jsonb', { parents: ['public.events'] }),
  relation('other.people', 'id:int4 nick'),
  relation('ruled', 'a b', { rules: true }),
  relation('pg_catalog.pg_stats', 'tablename most_common_vals', { kind: 'view', definition: 'x' }),
  relation('pg_catalog.pg_settings', 'name setting', { kind: 'view', rules: true }),
  relation('seq', 'last_value:int8', { kind: 'sequence' }),
  {
    ...relation('gen', 'a b'),
    columns: [
      { name: 'a', number: 1, type: 'text', typeId: 0 },
      { name: 'b', number: 2, type: 'text', typeId: 0, generated: 'upper(a)' },
    ],
  },
]

export function catalogOf(
  relations: readonly CatalogRelation[] = RELATIONS,
  functions: readonly CatalogFunction[] = [userFunction('secret'), userFunction('replace')],
): Catalog {
  const userOperators = [{ name: '~~>', function: 'public.leak' }]
  return buildCatalog(
    { database: 'test', serverVersion: 180000, relations, functions, userOperators },
    1,
  )
}

export const NAMES: SessionNames = {
  searchPath: ['public'],
  temporaries: new Map(),
  temporariesCertain: true,
  prepared: () => undefined,
  cursors: () => undefined,
}

const reader = await PostgresReader.create()
const catalog = catalogOf()

/** Facts of a text's only statement. */
export function factsOf(
  sql: string,
  more: { readonly catalog?: Catalog | null; readonly names?: Partial<SessionNames> } = {},
): StatementFacts {
  const context = {
    catalog: more.catalog === undefined ? catalog : more.catalog,
    names: { ...NAMES, ...more.names },
  }
  const analysis = reader.analyze(sql, context)
  if (analysis.kind !== 'statements') throw new Error(`${analysis.code}: ${analysis.message}`)
  return analysis.statements[0]!
}

export const columnText = (ref: ColumnRef) =>
  `${ref.schema === 'public' ? '' : `${ref.schema}.`}${ref.relation}.${ref.column}`

/** `=t.c` direct, `~t.c,t.d` derived, `#t.c` derived without a value, `-` constant, `?t.c` unknown. */
export function lineageText(lineage: Lineage): string {
  switch (lineage.kind) {
    case 'constant':
      return '-'
    case 'direct':
      return `=${columnText(lineage.source)}`
    case 'derived':
      return `${lineage.revealsNoValue ? '#' : '~'}${lineage.sources.map(columnText).join(',')}`
    case 'unknown':
      return `?${lineage.sources.map(columnText).join(',')}`
  }
}

/** Outputs as `name=t.c name2~t.d`; `unknown` or `none` where there is no list. */
export function outputsText({ outputs }: StatementFacts): string {
  if (outputs === null) return 'none'
  if (outputs === 'unknown') return 'unknown'
  return outputs.map((output) => output.name + lineageText(output.lineage)).join(' ')
}

export function usesText({ uses }: StatementFacts): string {
  const text = (use: ColumnUse) =>
    `${columnText(use.column)} ${use.context}${use.with === undefined ? '' : ` ${columnText(use.with)}`}`
  return uses.map(text).sort().join('; ')
}
