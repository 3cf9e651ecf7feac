/** Columns beside the key of their table in GROUP BY. */
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

/** Columns that are grouped by, as far as it makes a difference. */
function groupedBy(sql: string): readonly string[] {
  const analysis = reader.analyze(sql, { catalog, names: NAMES })
  if (analysis.kind !== 'statements') throw new Error(analysis.message)
  const uses = analysis.statements.flatMap((facts) => facts.uses)
  return uses.filter(({ context }) => context === 'group').map(({ column }) => column.column)
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
