/** Set operations and CTEs. */
import type { AttackList } from './attack-list.ts'

export const attacks: AttackList = [
  'SELECT city FROM people UNION SELECT ssn FROM people',
  'SELECT id, city FROM people UNION ALL SELECT salary, ssn FROM people',
  'SELECT ssn FROM people INTERSECT SELECT ssn FROM people',
  "SELECT ssn FROM people EXCEPT SELECT ''",
  '(SELECT city FROM people LIMIT 0) UNION ALL (SELECT ssn FROM people)',
  'WITH a AS (SELECT ssn x FROM people) SELECT x FROM a',
  'WITH a(x) AS MATERIALIZED (SELECT ssn FROM people) SELECT * FROM a',
  'WITH RECURSIVE r(n, x) AS (SELECT 1, city FROM people UNION ALL SELECT n + 1, p.ssn FROM r, people p WHERE n < 2) SELECT x FROM r',
  "WITH RECURSIVE r(n, x, y) AS (SELECT 1, ''::text, ssn FROM people UNION ALL SELECT n + 1, y, x FROM r WHERE n < 3) SELECT x FROM r",
  'WITH people AS (SELECT id, ssn AS city FROM people) SELECT city FROM people',
  'WITH a AS (INSERT INTO notes SELECT id + 20, city FROM people RETURNING id - 20 AS id, body) SELECT a.*, p.ssn FROM a JOIN people p USING (id)',
  'WITH a AS (UPDATE people SET city = city RETURNING ssn AS x) SELECT x FROM a',
  "VALUES ((SELECT ssn FROM people LIMIT 1)), ('x')",
  'WITH RECURSIVE a(x) AS (SELECT ssn FROM people UNION ALL SELECT x FROM a WHERE false) SEARCH DEPTH FIRST BY x SET o SELECT * FROM a',
]
