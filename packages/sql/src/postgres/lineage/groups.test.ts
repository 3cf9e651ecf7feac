/** Sums and averages over groups whose least size the statement itself asks for. */
import { expect, test } from 'vitest'
import { factsOf } from '../fixtures.ts'

const groupsOf = (sql: string) => {
  const { outputs } = factsOf(sql)
  const lineage = Array.isArray(outputs) ? outputs.at(-1)?.lineage : undefined
  return lineage?.kind === 'derived' ? (lineage.groups ?? null) : lineage?.kind
}

test.each([
  ['select dept, avg(pay) from people group by dept having count(*) >= 5', 5],
  ['select dept, round(sum(pay), 2) from people group by dept having count(*) > 4', 5],
  ['select sum(pay) from people having 5 <= count(*) and max(id) > 3', 5],
  ['select a from (select avg(pay) as a from people group by dept having count(*) >= 7) s', 7],
  ['select avg(pay) + 1 from people having count(*) >= 5 and count(*) >= 9', 9],
  ['select avg(pay) from people having count(*) >= 5 or dept is null', null],
  ['select avg(pay) from people group by dept', null],
  ['select avg(pay) from people group by dept having count(*) >= $1', null],
  ['select avg(pay) from people group by dept having count(*) <= 5', null],
  ['select avg(pay) from people group by dept having count(id) >= 5', null],
  ['select avg(pay) from people, generate_series(1, 9) group by dept having count(*) >= 5', null],
  ['select avg(p.pay) from people p join orders o on true having count(*) >= 5', null],
  ['select avg(pay) from (select pay from people) s having count(*) >= 5', null],
  [
    'with people as (select pay from public.people) select avg(pay) from people having count(*) >= 5',
    null,
  ],
  ['select max(pay) from people having count(*) >= 5', null],
  ['select avg(distinct pay) from people having count(*) >= 5', null],
  ['select avg(pay) filter (where id = 1) from people having count(*) >= 5', null],
  ['select avg(pay * id) from people having count(*) >= 5', null],
  ['select avg(pay) + max(pay) from people having count(*) >= 5', null],
  ['select avg(low) from cached having count(*) >= 5', null],
  ['select (select sum(p.pay) from orders having count(*) >= 5) from people p', null],
])('%s: %s', (sql, expected) => {
  expect(groupsOf(sql)).toBe(expected)
})
