import { beforeAll, expect, test } from 'vitest'
import type { RelationUse, StatementFacts } from '../facts.ts'
import { catalogOf, NAMES } from './fixtures.ts'
import { PostgresReader } from './reader.ts'

const CATALOG = catalogOf()
let reader: PostgresReader
beforeAll(async () => {
  reader = await PostgresReader.create()
})

function last(text: string): StatementFacts {
  const analysis = reader.analyze(text, { catalog: CATALOG, names: NAMES })
  if (analysis.kind !== 'statements') throw new Error(analysis.message)
  const facts = analysis.statements.at(-1)
  if (facts === undefined) throw new Error('no statement')
  return facts
}

const read = ({ relations }: StatementFacts): readonly RelationUse[] =>
  relations.filter(({ access }) => access === 'read')

test.each([
  ['create table n (a int, b text); select * from n', ['public.n.a', 'public.n.b']],
  ['create table n as select id from orders; select id from n', ['public.n.id']],
  ['create table n (a int); alter table n add b text; select b from n', ['public.n.b']],
  ['create table n (a int); alter table n rename to m; select a from m', ['public.m.a']],
  ['create table n (a int); alter table n rename a to b; select b from n', ['public.n.b']],
  ['create schema s; create table s.n (a int); select a from s.n', ['s.n.a']],
  ['begin; create table n (a int); commit; select a from n', ['public.n.a']],
  ['create table if not exists n (a int); select a from n', ['public.n.a']],
])('%s: each column is one', (text, columns) => {
  const facts = last(text)
  const sources = (facts.outputs as NonNullable<Exclude<StatementFacts['outputs'], string>>).map(
    ({ lineage }) =>
      lineage.kind === 'direct'
        ? `${lineage.source.schema}.${lineage.source.relation}.${lineage.source.column}`
        : lineage.kind,
  )
  expect(sources).toEqual(columns)
})

test.each([
  'create table n (a int); drop table n; select a from n',
  'begin; create table n (a int); rollback; select a from n',
  'create table n (a int) inherits (people); select a from n',
  'create table n (a int); alter table n set schema elsewhere; select a from public.n',
])('%s: the relation is not known', (text) => {
  const kinds = read(last(text)).map(({ kind }) => kind)
  expect(kinds.length === 0 || kinds.includes('unresolved')).toBe(true)
})

test.each([
  ['prepare p as select id from people; execute p', false],
  ['prepare p as select id from people; set search_path to elsewhere; execute p', true],
  ['prepare p as select id from people; create temp table people (a int); execute p', true],
  ['prepare p as select id from people; deallocate p; execute p', true],
  ['begin; declare c cursor for select id from people; fetch c', false],
  ['begin; declare c cursor for select id from people; commit; fetch c', true],
  ['begin; declare c cursor for select id from people; close all; fetch c', true],
])('%s: unknown is %s', (text, unknown) => {
  expect(last(text).effects.includes('unknown')).toBe(unknown)
})

test('a rollback takes back what the implicit transaction before BEGIN did, too', () => {
  const facts = last('create temp table people (x int); begin; rollback; select ssn from people')
  expect(read(facts).map(({ schema }) => schema)).toEqual(['public'])
})

test('a foreign key of a new table is tested by what is written to it', () => {
  const facts = last(
    "create table n (x text references people (ssn)); insert into n values ('guess')",
  )
  expect(facts.uses.map(({ column, context }) => [column.column, context])).toContainEqual([
    'ssn',
    'equality-constant',
  ])
})
