import { expect, test } from 'vitest'
import { catalogOf, factsOf, relation, usesText } from '../facts/fixtures.ts'

const catalog = catalogOf([
  relation('users', 'id:int email name', {
    constraints: [{ kind: 'unique', columns: ['id'], primary: true }],
  }),
  relation('members', 'team:int person:int nick', {
    constraints: [{ kind: 'unique', columns: ['team', 'person'], primary: true }],
  }),
  relation('loose', 'id:int email', { constraints: [{ kind: 'unique', columns: ['id'] }] }),
  relation('merged', 'id:int email', {
    parents: ['crm.users'],
    constraints: [{ kind: 'unique', columns: ['id'], primary: true }],
  }),
])

/** What tells which rows are equal: uses of groups and of DISTINCT. */
const told = (sql: string): string =>
  usesText({
    ...factsOf(sql, { catalog }),
    uses: factsOf(sql, { catalog }).uses.filter((use) => /^(group|distinct)$/.test(use.context)),
  })

test.each([
  ['select count(*) from users group by id, email', 'users.id group'],
  ['select u.id, u.email, count(*) from users u group by 1, 2', 'users.id group'],
  ['select distinct u.* from users u join members m on m.person = u.id', 'users.id distinct'],
  ['select distinct * from users', 'users.id distinct'],
  [
    'select distinct team, person, nick from members',
    'members.person distinct; members.team distinct',
  ],
])('idle beside the key: %s', (sql, expected) => {
  expect(told(sql)).toBe(expected)
})

test.each([
  // The server sorts by the first.
  'select count(*) from users group by email, id',
  'select distinct email, id from users',
  'select count(*) from users group by id, email with rollup',
  // The key of another row.
  'select distinct a.id, b.email from users a join users b on true',
  'select a.id from users a join users b on true group by a.id, b.email',
  'select distinct a.*, b.email from users a join users b on true',
  'select distinct id, email from users join members using (id)',
  'select distinct id, upper(email) from users',
  'select distinct id, email from loose',
  'select distinct id, email from merged',
  'select distinct id, email from (select * from users) t',
  'select distinct id, email from users for system_time all',
])('not idle: %s', (sql) => {
  const dialect = /system_time/.test(sql) ? ({ flavour: 'mariadb' } as const) : {}
  const { uses } = factsOf(sql, { catalog, dialect })
  expect(
    uses.some(({ column, context }) => column.column === 'email' && context !== 'equality-column'),
  ).toBe(true)
})
