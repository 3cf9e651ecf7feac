/** Types whose names stand for others. */
import { expect, test } from 'vitest'
import { buildCatalog } from '../build-catalog.ts'
import type { CatalogRelation, CatalogType } from '../catalog.ts'
import type { SessionNames } from './context.ts'
import { NAMES } from './fixtures.ts'
import { PostgresReader } from './reader.ts'

const relation = (schema: string, name: string, columns: readonly string[]): CatalogRelation => ({
  id: 0,
  schema,
  name,
  kind: 'table',
  columns: columns.map((column, i) => ({ name: column, number: i + 1, type: 'text', typeId: 25 })),
  parents: [],
  rules: false,
  triggers: false,
  rowSecurity: false,
})
const type = (schema: string, name: string, row = false): CatalogType => ({ schema, name, row })

const catalog = buildCatalog(
  {
    database: 'd',
    serverVersion: 180000,
    relations: [
      relation('public', 'pairs', ['a', 'b']),
      relation('public', 'hidden', ['a', 'b']),
      relation('public', 'date', ['a', 'b']),
      relation('ahead', 'pairs', ['a']),
    ],
    types: [
      type('pg_catalog', 'text'),
      type('pg_catalog', '_text'),
      type('pg_catalog', 'date'),
      type('pg_catalog', 'int4'),
      type('public', 'mood'),
      type('ahead', 'text'),
      type('ahead', 'hidden', true),
      type('pg_temp_3', 'int4'),
    ],
    functions: [],
    userOperators: [],
  },
  1,
)
const reader = await PostgresReader.create()

function factsOf(sql: string, names: Partial<SessionNames> = {}) {
  const analysis = reader.analyze(sql, { catalog, names: { ...NAMES, ...names } })
  if (analysis.kind !== 'statements') throw new Error(analysis.message)
  return analysis.statements.at(-1)
}

const widthOf = (sql: string, names?: Partial<SessionNames>): number | 'unknown' => {
  const outputs = factsOf(sql, names)?.outputs
  return Array.isArray(outputs) ? outputs.length : 'unknown'
}

test.each([
  ['select (null::pairs).*', {}, 2],
  ['select (null::ahead.pairs).*', {}, 1],
  ['select (null::pairs).*', { searchPath: ['ahead', 'public'] }, 1],
  ['select (null::pairs).*', { searchPath: 'uncertain' }, 'unknown'],
  ['select (null::pairs).*', { temporaries: new Map([['pairs', ['x']]]) }, 'unknown'],
  ['select (null::pairs).*', { temporariesCertain: false }, 'unknown'],
  ['select (null::pg_temp.pairs).*', {}, 'unknown'],
  ['select (null::hidden).*', {}, 'unknown'],
  ['create table made (x int, y int); select (null::made).*', {}, 'unknown'],
  ["select * from jsonb_populate_record(null::pairs, '{}')", {}, 2],
  ["select (jsonb_populate_record(null::pairs, '{}')).*", {}, 2],
  ["select * from jsonb_populate_recordset(null::nowhere, '[]')", {}, 'unknown'],
  ['select * from unnest(array[null::pairs])', {}, 2],
  ["select * from unnest('{}'::text[])", {}, 1],
  ["select * from unnest('{}'::mood[])", {}, 1],
  ["select * from unnest('{}'::mood[])", { temporaries: new Map([['mood', ['x']]]) }, 'unknown'],
  ["select * from unnest('{}'::ahead.hidden[])", {}, 'unknown'],
  ["select * from unnest('{}'::nowhere[])", {}, 'unknown'],
] as [string, Partial<SessionNames>, number | 'unknown'][])('%s in %j: %s', (sql, names, width) => {
  expect(widthOf(sql, names)).toBe(width)
})

test.each([
  ['select 1::int4', {}],
  ["select 'x'::text", { searchPath: ['ahead', 'pg_catalog'] }],
  ["select 'x'::text", { searchPath: 'uncertain' }],
  ["select 'x'::date", { searchPath: ['public', 'pg_catalog'] }],
  ["select 'x'::date", { temporaries: new Map([['date', ['x']]]) }],
  ['create temp table text (a int)', {}],
  ['create table "date" as select 1', {}],
  ['select 1 as a into temp "date"', {}],
  ['create view text as select 1', {}],
  ['alter table pairs rename to text', {}],
  ['create domain text as int', {}],
  ['create domain pg_temp.pairs as int', {}],
  ['create type mood as enum ()', {}],
  ['create type text as (a int)', {}],
  ['create type text as range (subtype = int4)', {}],
  ['create type new as range (subtype = pg_catalog.int4, multirange_type_name = public.text)', {}],
  ['create type text', {}],
  ['alter domain d rename to text', {}],
  ['alter type public.mood rename to date', {}],
] as [string, Partial<SessionNames>][])('%s in %j is doubtful', (sql, names) => {
  expect(factsOf(sql, names)?.doubtfulType).toBeDefined()
})

test.each([
  ["select 'x'::text, 'x'::date, 'x'::mood, null::pairs, 1::int", {}],
  ['select 1::pg_catalog.int4', {}],
  ["select 'x'::pg_catalog.text", { searchPath: ['ahead', 'pg_catalog'] }],
  ["select 'x'::date", { searchPath: ['ahead', 'pg_catalog'] }],
  ['create temp table pairs (a int)', {}],
  ['create domain positive as int', {}],
  ['alter table pairs rename column a to text', {}],
  ['create index text on pairs (a)', {}],
] as [string, Partial<SessionNames>][])('%s in %j is not', (sql, names) => {
  expect(factsOf(sql, names)?.doubtfulType).toBeUndefined()
})
