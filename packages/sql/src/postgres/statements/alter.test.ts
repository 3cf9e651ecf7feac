/** Definitions that look at every row, or at the order of rows. */
import { expect, test } from 'vitest'
import { factsOf, usesText } from '../fixtures.ts'

test.each([
  ["alter table people add check (ssn < 'm')", 'people.ssn failure; people.ssn predicate'],
  ['alter table people add unique (ssn)', 'people.ssn equality-column people.ssn'],
  ['alter table people alter ssn set not null', 'people.ssn is-null'],
  ['alter table people alter ssn type int using 1', 'people.ssn failure'],
  [
    'alter table orders add foreign key (note) references people (ssn)',
    'orders.note equality-column people.ssn; people.ssn equality-column orders.note',
  ],
  ['alter table people add column y text', ''],
  ['create index on people (ssn)', ''],
  ['create unique index on people (ssn)', 'people.ssn equality-column people.ssn'],
  ["create index on people (id) where ssn < 'm'", 'people.ssn failure; people.ssn predicate'],
  ['create index on people ((1 / pay))', 'people.pay failure'],
  ['create index on people (not_there_yet)', ''],
  ['cluster dept using i', 'dept.id order; dept.title order'],
  ['explain select ssn, id from people', 'people.id cardinality; people.ssn cardinality'],
  ['explain select max(ssn) from people', 'people.ssn cardinality'],
  [
    "explain select id from people where ssn = 'x'",
    'people.id cardinality; people.ssn cardinality; people.ssn equality-constant',
  ],
])('%s', (sql, expected) => {
  expect(usesText(factsOf(sql))).toBe(expected)
})

test('an index on a column that the snapshot does not have is understood', () => {
  expect(factsOf('create index on people (not_there_yet)').effects).toEqual(['ddl'])
})
