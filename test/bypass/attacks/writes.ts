/** Writes that test masked values, or move them where they can be asked for. */
import type { AttackList } from './attack-list.ts'

export const attacks: AttackList = [
  {
    steps: [
      'BEGIN',
      'UPDATE people SET salary = ascii(ssn)',
      'SELECT id FROM people WHERE salary = 103',
      'SELECT count(*) FROM people WHERE salary = 105',
      'ROLLBACK',
    ],
    why: 'a computed value in a masked column may be asked for by equality',
  },
  {
    steps: [
      'BEGIN',
      'UPDATE people SET phone = left(ssn, 1)',
      "SELECT id FROM people WHERE phone IN ('g', 'h', 'i')",
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'UPDATE people SET big = length(ssn)',
      'SELECT id FROM people WHERE big = 8',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      "UPDATE people SET active = ssn > 'm'",
      'SELECT id FROM people WHERE active',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      "UPDATE people SET phone = nullif(left(ssn, 1), 'g')",
      'SELECT id FROM people WHERE phone IS NULL',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      "UPDATE people SET phone = CASE WHEN ssn < 'm' THEN 'yes' ELSE 'no' END",
      "SELECT count(*) FROM people WHERE phone = 'yes'",
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'INSERT INTO people (id, salary) SELECT id + 300, ascii(ssn) FROM people',
      'SELECT id FROM people WHERE salary = 103',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'INSERT INTO accounts (id, owner_ssn) SELECT id + 300, left(ssn, 2) FROM people WHERE id < 7',
      "SELECT id FROM accounts WHERE owner_ssn = 'gg'",
      'ROLLBACK',
    ],
  },
  'WITH u AS (UPDATE people SET salary = ascii(ssn) RETURNING id, salary) SELECT id FROM u WHERE salary = 103',
  "WITH u AS (UPDATE people SET active = ssn > 'm' RETURNING id, active) SELECT count(*) FROM u WHERE active",
  'WITH u AS (INSERT INTO people (id, salary) SELECT id + 300, ascii(ssn) FROM people RETURNING id, salary) SELECT id FROM u WHERE salary = 103',
  'WITH m AS (MERGE INTO people p USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET salary = length(p.ssn) RETURNING p.id, p.salary) SELECT id FROM m WHERE salary = 20',
  'UPDATE people SET salary = ascii(ssn) RETURNING salary = 103',
  'UPDATE people SET salary = ascii(ssn) RETURNING old.salary, new.salary',
  {
    steps: [
      'BEGIN',
      'UPDATE people SET phone = ssn',
      'SELECT id FROM people WHERE phone = ssn',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'UPDATE people SET phone = email, email = phone',
      'SELECT phone, email FROM people ORDER BY id',
      'ROLLBACK',
    ],
    why: 'partly masked columns show different parts',
  },
  {
    steps: [
      'BEGIN',
      'UPDATE people SET email = ssn',
      'SELECT email FROM people ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'UPDATE people SET ssn = reverse(ssn)',
      'SELECT ssn FROM people ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      "UPDATE people SET ssn = 'xxxxxxxx' || left(ssn, 4)",
      'SELECT ssn FROM people ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'UPDATE people SET born = born + (salary % 365)',
      'SELECT born FROM people ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      "UPDATE people SET profile = jsonb_build_object('open', profile -> 'phone')",
      'SELECT profile FROM people ORDER BY id',
      'ROLLBACK',
    ],
    why: 'a path that is not masked',
  },
  {
    steps: [
      'BEGIN',
      "UPDATE people SET profile = profile || jsonb_build_object('open', ssn)",
      'SELECT profile FROM people ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      "UPDATE people SET profile['open'] = to_jsonb(ssn)",
      'SELECT profile FROM people ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'UPDATE people SET tags[1] = ssn, nums[1] = salary',
      'SELECT tags, nums FROM people ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'UPDATE people SET home.street = ssn, home.n = salary',
      'SELECT home FROM people ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'UPDATE people SET score = salary',
      'SELECT score FROM people ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'UPDATE people p SET manager_id = (SELECT count(*) FROM people q WHERE q.salary < p.salary)',
      'SELECT manager_id FROM people ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'UPDATE people p SET manager_id = q.id FROM people q WHERE q.ssn > p.ssn',
      'SELECT manager_id FROM people ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'INSERT INTO notes (id) SELECT row_number() OVER (ORDER BY ssn) + 300 FROM people',
      'SELECT * FROM notes ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'INSERT INTO notes (id, body) SELECT id + 300, city FROM people ORDER BY ssn',
      'SELECT id FROM notes',
      'ROLLBACK',
    ],
    why: 'in the order they were inserted',
  },
  {
    steps: [
      'BEGIN',
      'INSERT INTO audit_trail (what) SELECT city FROM people ORDER BY salary RETURNING id, what',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'INSERT INTO payments (card, amount) SELECT card, 1 FROM payments ORDER BY card',
      'SELECT id FROM payments',
      'ROLLBACK',
    ],
  },
  'UPDATE people SET ssn = left(ssn, 1)',
  'UPDATE people SET ssn = lower(ssn) WHERE id = 1',
  'UPDATE people SET salary = salary * 1000',
  'UPDATE people SET salary = salary + 2147483000',
  'UPDATE people SET salary = 1 / (salary - 3)',
  'UPDATE people SET iban = left(iban, ascii(ssn) - 100)',
  'UPDATE people SET iban = ssn',
  'UPDATE people SET phone = ssn || ssn || ssn',
  'UPDATE people SET mood = ssn::mood',
  'UPDATE people SET salary = big',
  'UPDATE people SET nums = ARRAY[big]::int[]',
  'INSERT INTO people (id, ssn) SELECT id + 300, ssn FROM people ON CONFLICT (ssn) DO NOTHING',
  'INSERT INTO people (id, ssn) SELECT id + 300, left(ssn, 1) FROM people ON CONFLICT DO NOTHING RETURNING id',
  "INSERT INTO people (id, ssn) SELECT id + 300, lower(ssn) FROM people ON CONFLICT (ssn) DO UPDATE SET note = 'hit' RETURNING id",
  'INSERT INTO people (id, ssn) SELECT n + 300, chr(n) FROM generate_series(100, 120) n ON CONFLICT (ssn) DO UPDATE SET note = excluded.ssn RETURNING id, note',
  'INSERT INTO checked SELECT ssn FROM people WHERE id = 1',
  'INSERT INTO checked (n) SELECT salary FROM people WHERE id = 1',
  'INSERT INTO cards SELECT ssn, id FROM people',
  'INSERT INTO payments (card) SELECT left(card, 3) FROM payments',
  'INSERT INTO payments (card, amount) SELECT card, length(card) FROM payments RETURNING amount',
  "DELETE FROM people WHERE ssn < 'm'",
  'DELETE FROM people WHERE salary > 100 RETURNING id',
  'DELETE FROM people USING (SELECT max(salary) AS m FROM people) x WHERE salary = x.m RETURNING id',
  'DELETE FROM people WHERE ctid = (SELECT ctid FROM people ORDER BY ssn LIMIT 1) RETURNING id',
  "DELETE FROM cards WHERE number LIKE '5%'",
  "UPDATE people SET note = 'hit' WHERE starts_with(ssn, 'g')",
  "UPDATE people SET note = 'n' WHERE id = (SELECT id FROM people ORDER BY ssn LIMIT 1) RETURNING id",
  'UPDATE people SET (city, note) = (SELECT ssn, email FROM people q WHERE q.id = people.id)',
  'UPDATE people SET (city, note) = ROW(ssn, email)',
  'UPDATE notes SET (body, n, happened) = (SELECT ssn, salary, born FROM people WHERE people.id = notes.id) RETURNING *',
  'UPDATE notes SET raw = p.raw, doc = p.profile, list = p.tags FROM people p WHERE p.id = notes.id RETURNING notes.*',
  'INSERT INTO notes (id, doc) SELECT id + 300, to_jsonb(p) FROM people p RETURNING doc',
  'INSERT INTO notes (id, list) SELECT 300, array_agg(ssn) FROM people RETURNING list',
  "INSERT INTO notes (id, body) VALUES (300, (SELECT string_agg(ssn, ',') FROM people)) RETURNING *",
  'INSERT INTO notes (id, body) TABLE accounts',
  'INSERT INTO notes (id, body) SELECT id + 300, x FROM people_view RETURNING *',
  'INSERT INTO notes (id, body) SELECT id + 300, x FROM people_mat RETURNING *',
  'INSERT INTO notes (id, body) WITH s AS (SELECT id, ssn FROM people) SELECT id + 300, ssn FROM s RETURNING *',
  'INSERT INTO people_view (id, x) SELECT id + 300, city FROM people RETURNING x',
  'INSERT INTO people_view (id, city) SELECT id + 300, x FROM people_view RETURNING city',
  'UPDATE people_view SET city = x RETURNING city',
  'UPDATE people_invoker SET city = ssn RETURNING city',
  "UPDATE people_barrier SET ssn = 'x' WHERE notice_it(ssn) = 1",
  "DELETE FROM people_view WHERE x < 'm' RETURNING id",
  'MERGE INTO notes n USING people p ON n.body = p.ssn WHEN NOT MATCHED THEN INSERT (id, body) VALUES (p.id + 300, p.ssn) RETURNING n.*',
  "MERGE INTO notes n USING people p ON n.id = p.id AND p.ssn < 'm' WHEN MATCHED THEN UPDATE SET body = 'low' WHEN NOT MATCHED BY SOURCE THEN DELETE RETURNING merge_action(), n.id",
  "MERGE INTO people p USING notes n ON p.id = n.id WHEN MATCHED AND p.salary > 100 THEN DO NOTHING WHEN MATCHED THEN UPDATE SET city = 'x' RETURNING p.id",
  'MERGE INTO people p USING notes n ON p.ssn > n.body WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT (id) VALUES (n.id + 400) RETURNING n.id',
  "UPDATE people SET note = 'x'",
  "UPDATE people SET note = 'x' WHERE id = 1 RETURNING ssn, note",
  'UPDATE people SET manager_id = 1 WHERE id = 2',
  "INSERT INTO people (id, city) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET note = people.ssn RETURNING note",
  "INSERT INTO people (id, city) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET note = excluded.city WHERE people.ssn < 'm' RETURNING id",
  "SELECT nextval('counter') FROM people WHERE salary > 100",
  {
    steps: [
      "SELECT count(nextval('counter')) FROM people WHERE id = 1",
      "SELECT CASE WHEN ssn < 'm' THEN nextval('counter') END FROM people",
      "SELECT currval('counter')",
      'SELECT last_value FROM counter',
    ],
  },
  {
    steps: [
      "SELECT setval('counter', salary) FROM people WHERE id = 1",
      'SELECT last_value FROM counter',
    ],
  },
  {
    steps: [
      'SELECT pg_advisory_xact_lock(salary) FROM people WHERE id = 1',
      "SELECT objid FROM pg_locks WHERE locktype = 'advisory'",
    ],
  },
  {
    steps: [
      'BEGIN',
      'SELECT pg_advisory_lock(salary) FROM people WHERE id = 1',
      'SELECT classid, objid FROM pg_locks',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'SELECT id FROM people ORDER BY ssn LIMIT 1 FOR UPDATE',
      'SELECT id, xmax <> 0 FROM people',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      "SELECT id FROM people WHERE ssn < 'm' FOR UPDATE",
      'SELECT id FROM people WHERE xmax <> 0',
      'ROLLBACK',
    ],
  },
  {
    steps: ['LISTEN changes', "UPDATE people SET note = 'x' WHERE id = 1", 'SELECT 1'],
    undo: "UPDATE people SET note = 'note 1' WHERE id = 1; CLUSTER people USING people_pkey",
  },
]
