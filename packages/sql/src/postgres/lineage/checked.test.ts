/** What writes tell by breaking a constraint. */
import { expect, test } from 'vitest'
import type { CatalogConstraint } from '../../catalog.ts'
import { catalogOf, factsOf, relation, usesText } from '../fixtures.ts'

const constrained = (constraints: readonly CatalogConstraint[]) => ({ constraints })
const catalog = catalogOf([
  relation(
    'staff',
    'id:int4 mail ssn:varchar pay:numeric bonus:numeric note:text',
    constrained([
      { kind: 'unique', columns: ['mail'] },
      { kind: 'check', columns: ['bonus', 'pay'] },
    ]),
  ),
  relation(
    'badges',
    'staff_mail color',
    constrained([
      {
        kind: 'reference',
        columns: ['staff_mail'],
        schema: 'public',
        relation: 'staff',
        referenced: ['mail'],
      },
    ]),
  ),
  relation('slots', 'room during', constrained([{ kind: 'exclusion', columns: ['during'] }])),
])

test.each([
  ['update staff set bonus = 5', 'staff.pay failure'],
  ["update staff set note = 'x'", ''],
  ['insert into staff (id, bonus) values (1, 2)', 'staff.mail equality-constant'],
  ["insert into staff (mail) values ('a'), ('b')", 'staff.mail equality-constant'],
  [
    "update staff set mail = 'x'",
    'badges.staff_mail equality-column staff.mail; staff.mail equality-constant',
  ],
  ['insert into staff (mail) select g::text from generate_series(1, 9) g', 'staff.mail predicate'],
  ["insert into badges values ('x')", 'staff.mail equality-constant'],
  ['insert into badges select g::text from generate_series(1, 9) g', 'staff.mail predicate'],
  ["update badges set color = 'x'", ''],
  ['delete from staff', 'badges.staff_mail equality-column staff.mail'],
  ['delete from badges', ''],
  ["insert into slots values ('a', 'b')", 'slots.during failure'],
  ['copy slots from stdin', 'slots.during failure'],
  ['update staff set ssn = ssn', ''],
  ['update staff set ssn = note', 'staff.note failure'],
  ['update staff set note = ssn || mail', ''],
])('%s', (sql, expected) => {
  expect(usesText(factsOf(sql, { catalog }))).toBe(expected)
})

test('values computed row by row are said to be written', () => {
  const sql = 'insert into staff (note) select g::text from generate_series(1, 9) g'
  expect(factsOf(sql, { catalog }).constantWrites).toMatchObject([
    { column: { column: 'note' }, value: { kind: 'computed' } },
    {},
    {},
  ])
})

test('a client that copies rows in says which field is which column', () => {
  expect(factsOf('copy staff (note, ssn) from stdin', { catalog }).constantWrites).toEqual([
    {
      column: { schema: 'public', relation: 'staff', column: 'note' },
      value: { kind: 'sent', field: 0 },
      fresh: true,
    },
    {
      column: { schema: 'public', relation: 'staff', column: 'ssn' },
      value: { kind: 'sent', field: 1 },
      fresh: true,
    },
  ])
})
