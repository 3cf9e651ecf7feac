/** Values moved to where another mask shows another part of them, or changed until the mask shows what it hid. */
import type { AttackList } from '../attack-list.ts'

const COLUMNS = [
  'ssn',
  'email',
  'phone',
  'salary',
  'balance',
  'big',
  'score',
  'born',
  'seen',
  'stamp',
  'clock',
  'raw',
  'paper',
  'profile',
]

const CHANGES = [
  "ssn = CONCAT(ssn, 'wxyz')",
  "ssn = CONCAT('abcd', ssn)",
  'ssn = REVERSE(ssn)',
  'ssn = LEFT(ssn, 4)',
  'ssn = UPPER(ssn)',
  'ssn = SUBSTRING(ssn, 3)',
  'ssn = TRIM(ssn)',
  'born = born + INTERVAL 1 YEAR',
  'born = DATE_SUB(born, INTERVAL 200 DAY)',
  'salary = salary * 2',
  'salary = salary + 1',
  'score = score + 50000000',
  'score = -score',
  "profile = JSON_SET(profile, '$.open', profile->'$.phone')",
  "profile = JSON_SET(profile, '$.open', 'x')",
  "profile = JSON_REMOVE(profile, '$.open')",
  "email = CONCAT(SUBSTRING(email, 2), 'x')",
  'ssn = IF(ssn > "m", "a", "b")',
  'ssn = (SELECT q.ssn FROM (SELECT * FROM people) q WHERE q.id = 2)',
  "ssn = REPLACE(ssn, 'a', '')",
  'ssn = HEX(ssn)',
  "phone = LPAD(phone, 4, '0')",
  'ssn = phone, phone = ssn',
  "ssn = 'q', note = ssn",
  'note = ssn, ssn = "q"',
  'note = salary > 5',
  'note = (ssn IS NULL)',
  "city = CASE WHEN ssn > 'm' THEN 'hi' ELSE 'lo' END",
  'dept_id = 1 + (salary > 42000000)',
  'id = LAST_INSERT_ID(salary)',
  'dept_id = LAST_INSERT_ID(salary)',
  'note = LAST_INSERT_ID(salary)',
]

export const attacks: AttackList = [
  ...COLUMNS.flatMap((to) =>
    COLUMNS.filter((from) => from !== to).map((from) => [
      `UPDATE people SET ${to} = ${from} WHERE id = 1`,
      `SELECT ${to} FROM people WHERE id = 1`,
    ]),
  ),
  ...CHANGES.flatMap((change) => [
    [
      `UPDATE people SET ${change} WHERE id = 1`,
      'SELECT * FROM people WHERE id = 1',
      'SELECT LAST_INSERT_ID()',
    ],
    [
      'INSERT INTO people (id, ssn, salary, city, dept_id) SELECT 901, ssn, salary, city, dept_id FROM people WHERE id = 1',
      `UPDATE people SET ${change} WHERE id = 901`,
      'SELECT id, ssn, email, phone, born, score, profile, note, city, dept_id FROM people WHERE id IN (1, 901) ORDER BY id',
    ],
  ]),
]
