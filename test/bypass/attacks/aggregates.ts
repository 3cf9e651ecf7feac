/** Aggregates and windows. */
import type { AttackList } from './attack-list.ts'

export const attacks: AttackList = [
  'SELECT min(ssn), max(ssn) FROM people',
  "SELECT string_agg(ssn, ','), array_agg(ssn) FROM people",
  'SELECT string_agg(ssn, $$,$$ ORDER BY id) FILTER (WHERE true) FROM people',
  'SELECT sum(salary), avg(salary), stddev(salary), min(salary) FROM people',
  'SELECT percentile_disc(0) WITHIN GROUP (ORDER BY ssn) FROM people',
  'SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY salary) FROM people',
  'SELECT mode() WITHIN GROUP (ORDER BY ssn) FROM people',
  'SELECT any_value(ssn) FROM people',
  'SELECT first_value(ssn) OVER (), last_value(ssn) OVER (), nth_value(ssn, 1) OVER () FROM people',
  'SELECT lag(ssn, 0) OVER (ORDER BY id), lead(ssn, 0) OVER (ORDER BY id) FROM people',
  'SELECT max(ssn) OVER w FROM people WINDOW w AS (PARTITION BY id)',
  'SELECT sum(salary) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND CURRENT ROW) FROM people',
  'SELECT city, max(ssn) FROM people GROUP BY city',
  'SELECT ssn, count(*) FROM people GROUP BY ssn',
  'SELECT ssn, count(*) FROM people GROUP BY 1',
  'SELECT ssn, count(*) FROM people GROUP BY ROLLUP (ssn)',
  'SELECT city FROM people GROUP BY city HAVING max(ssn) > $$$$',
  'SELECT jsonb_agg(ssn), json_agg(salary), jsonb_object_agg(ssn, 1) FROM people',
  'SELECT bit_and(salary), bit_or(salary), bool_or(salary > 0), range_agg(int4range(salary, salary + 1)) FROM people',
  'SELECT corr(salary, id), regr_avgx(id, salary), var_pop(salary) FROM people',
  'SELECT grouping(ssn), ssn FROM people GROUP BY CUBE (ssn)',
]
