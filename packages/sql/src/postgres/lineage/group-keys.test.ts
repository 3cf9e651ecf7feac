/** Columns beside the key of their table in GROUP BY, and in DISTINCT. */
import { expect, test } from 'vitest'
import { buildCatalog } from '../../build-catalog.ts'
import type { CatalogRelation } from '../../catalog.ts'
import { NAMES } from '../fixtures.ts'
import { PostgresReader } from '../reader.ts'

const table = (name: string, more: Partial<CatalogRelation> = {}): CatalogRelation => ({
  id: 0,
  schema: 'public',
  name,
  kind: 'table',
  columns: ['id', 'mail', 'city'].map((column, i) => ({
    name: column,
    number: i + 1,
    type: 'text',
    typeId: 25,
  })),
  parents: [],
  rules: false,
  triggers: false,
  rowSecurity: false,
  constraints: [{ kind: 'unique', columns: ['id'], primary: true }],
  ...more,
})

const catalog = buildCatalog(
  {
    database: 'd',
    serverVersion: 180000,
    relations: [
      table('users'),
      table('parent'),
      table('child', { parents: ['public.parent'] }),
      table('pairs', { constraints: [{ kind: 'unique', columns: ['id', 'city'], primary: true }] }),
      table('keyless', { constraints: [{ kind: 'unique', columns: ['id'] }] }),
      table('parts', { kind: 'partitioned-table' }),
    ],
    functions: [],
    userOperators: [],
  },
  1,
)
const reader = await PostgresReader.create()

/** Columns that are grouped by, or made distinct, as far as it makes a difference. */
function groupedBy(sql: string, as = 'group'): readonly string[] {
  const analysis = reader.analyze(sql, { catalog, names: NAMES })
  if (analysis.kind !== 'statements') throw new Error(analysis.message)
  const uses = analysis.statements.flatMap((facts) => facts.uses)
  return uses.filter(({ context }) => context === as).map(({ column }) => column.column)
}

test.each([
  ['select id, mail from users group by id, mail', ['id']],
  ['select u.mail, count(*) from users u group by u.mail, u.id', ['id']],
  ['select mail, id, count(*) from users group by 1, 2', ['id']],
  [
    'select u.id from users u join keyless k on k.id = u.id group by u.id, u.mail, k.city',
    ['id', 'city'],
  ],
  ['select id from pairs group by id, city, mail', ['id', 'city']],
  ['select id from users group by id, upper(mail)', ['id']],
])('%s: %j', (sql, expected) => {
  expect(groupedBy(sql)).toEqual(expected)
})

test.each([
  'select mail from users group by mail',
  'select 1 from users u, users v group by u.id, v.mail',
  'select id from pairs group by id, mail',
  'select id from keyless group by id, mail',
  'select id from parent group by id, mail',
  'select id from parts group by id, mail',
  'select id from (select * from users) s group by id, mail',
  'select id from users group by cube (id, mail)',
  'select id from users group by grouping sets ((id), (mail))',
  'select id from users group by id, rollup (mail)',
  'select *, mail from users group by id, 2',
  'select id from users join keyless using (id) group by id, keyless.mail',
  'select (select 1 from pairs p group by u.id, p.mail limit 1) from users u',
  'with users as (select * from keyless) select 1 from users group by id, mail',
])('%s: by the address', (sql) => {
  expect(groupedBy(sql)).toContain('mail')
})

test.each([
  ['select distinct id, mail from users order by id', ['id']],
  ['select distinct mail, id from users order by 2', ['id']],
  ['select distinct u.* from users u join keyless k on k.id = u.id order by u.id desc', ['id']],
  [
    'select distinct u.id, u.mail, k.city from users u join keyless k using (id) order by k.city, u.id',
    ['id', 'city'],
  ],
  ['select distinct u.id as n, mail as m from users u order by n limit 2', ['id']],
  ['select distinct id, city, mail from pairs order by id, city', ['id', 'city']],
])('%s: %j', (sql, expected) => {
  expect(groupedBy(sql, 'distinct')).toEqual(expected)
})

test.each([
  'select distinct id, mail from users',
  'select distinct mail from users order by mail',
  'select distinct id, mail, city from pairs order by id',
  'select distinct u.id, u.mail, k.city from users u join keyless k using (id) order by u.id',
  'select distinct u.id, u.mail, k.city from users u, keyless k order by u.id, k.id',
  'select distinct u.id, v.mail from users u, users v order by u.id',
  'select distinct id, mail from keyless order by id',
  'select distinct id, mail from parent order by id',
  'select distinct id, mail from (select * from users) s order by id',
  'select distinct id, mail, upper(mail) from users order by id',
  'select distinct id, mail, random() from users order by id',
  'select distinct id, mail, count(*) over () from users order by id',
  'select distinct id, mail from users order by id collate "C"',
  'select distinct id, mail from users order by id using <',
  'select distinct id, mail from users order by id || id',
  'select distinct id, mail from users group by cube (id, mail) order by id',
  'select distinct u.id, k.mail from users u join keyless k using (id) order by id',
])('%s: by the address, too', (sql) => {
  expect(groupedBy(sql, 'distinct')).toContain('mail')
})
