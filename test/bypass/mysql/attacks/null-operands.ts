/**
 * Results that are NULL where one operand is: the server does not look at the others then, and whether one that fails,
 * waits or leaves something behind was looked at tells. And counts of what was changed.
 */
import type { AttackList } from '../attack-list.ts'

/** NULL for some values of a masked column, and never a failure. */
const NULLS = [
  'UNHEX(t.ssn)',
  'UNHEX(SUBSTR(t.phone, 2, 1))',
  "DATE(CONCAT('2000-01-1', SUBSTR(t.phone, 2, 1)))",
  "CAST(CONCAT('2000-1', SUBSTR(t.phone, 2, 1), '-01') AS DATE)",
  "STR_TO_DATE(SUBSTR(t.phone, 2, 1), '%d')",
  'INET_ATON(t.ssn)',
  'FROM_BASE64(t.ssn)',
  "JSON_EXTRACT(t.doc, '$.deep')",
  "JSON_UNQUOTE(JSON_EXTRACT(t.doc, '$.deep.secret'))",
  "JSON_SEARCH(t.profile, 'one', 'a%')",
  "ELT(LENGTH(t.ssn), 'a', 'b')",
  'MAKETIME(1, t.salary, 0)',
  't.salary / (LENGTH(t.ssn) - 4)',
  't.salary % (LENGTH(t.ssn) - 4)',
  'LN(4 - LENGTH(t.ssn))',
  "NULLIF(LEFT(t.ssn, 1), 'g')",
  "SUBSTRING_INDEX(NULLIF(LEFT(t.ssn, 1), 'g'), 'x', 1)",
  'CHAR(LENGTH(t.ssn) USING ascii)',
  'CONV(t.ssn, LENGTH(t.ssn), 10)',
  'MONTHNAME(CONCAT("2000-01-1", SUBSTR(t.phone, 2, 1)))',
] as const

/** Noticed when looked at, for every row. */
const NOTICED = [
  'EXP(10000 * (t.id > 0))',
  '(SELECT d.id FROM dept d WHERE d.id > t.id * 0)',
  "EXTRACTVALUE('<a/>', IF(t.id > 0, '//[', '/a'))",
  "GET_LOCK(CONCAT('l', t.id), 0)",
  'SLEEP(t.id > 0)',
  'raise_it(t.city)',
  'LAST_INSERT_ID(t.id + 5)',
  '(@seen := t.id)',
] as const

const COMBINED = [
  'CONCAT(#, $)',
  '# + $',
  '# = $',
  '# <=> $',
  '# LIKE $',
  'CONCAT_WS(#, $, $)',
  'LPAD(#, 9, $)',
  'DATE_ADD(#, INTERVAL $ DAY)',
  'LOCATE(#, $)',
  'FIELD(#, $)',
  'GREATEST(#, $)',
  'JSON_ARRAY(#, $)',
  '(#, 1) = ($, 1)',
  'COUNT(DISTINCT #, $)',
  'GROUP_CONCAT(#, $)',
  '# REGEXP $',
  '# BETWEEN 1 AND $',
  '# IN (1, $)',
  'IF(#, $, 1)',
] as const

const asked = COMBINED.flatMap((form, i) =>
  NULLS.filter((_, j) => (i + j) % 3 === 0).map((nothing, j) => {
    const noticed = NOTICED[(i + j) % NOTICED.length] ?? ''
    const text = form.replace('#', () => nothing).replaceAll('$', () => noticed)
    return `SELECT ${text} FROM people t WHERE t.id = ${1 + (j % 6)}`
  }),
)

/** Whether a value is what it is set to: nobody says. */
const counts: AttackList = [
  'UPDATE people SET salary = dept_id',
  'UPDATE people SET salary = id * 3',
  'UPDATE people SET flags = id',
  "UPDATE people SET email = CONCAT(city, '@q')",
  'UPDATE people SET score = 0.5 WHERE id < 5',
  'UPDATE people p JOIN dept d ON d.id = p.dept_id SET p.salary = d.id + p.id',
  ['UPDATE people SET salary = dept_id', 'SELECT ROW_COUNT()'],
  ['UPDATE people SET salary = id', 'SELECT ROW_COUNT() + 1 AS n FROM dept LIMIT 1'],
  'UPDATE people SET salary = id; SELECT ROW_COUNT()',
  ['UPDATE people SET salary = id', 'GET DIAGNOSTICS @n = ROW_COUNT', 'SELECT @n'],
  ["PREPARE u FROM 'UPDATE people SET salary = id'", 'EXECUTE u', 'SELECT ROW_COUNT()'],
  'INSERT INTO people (id, salary) SELECT id, id FROM dept ON DUPLICATE KEY UPDATE salary = VALUES(salary)',
  'INSERT INTO people (id) SELECT id FROM dept ON DUPLICATE KEY UPDATE salary = people.id',
  "INSERT INTO parted (id, ssn) SELECT id, CONCAT('b', id) FROM dept ON DUPLICATE KEY UPDATE ssn = VALUES(ssn)",
  "REPLACE INTO parted (id, ssn) SELECT id, CONCAT('b', id) FROM dept",
  'REPLACE INTO people_default (id, ssn, copy) SELECT id, name, name FROM dept',
]

export const attacks: AttackList = [...asked, ...counts]
