/**
 * Attacks of the corpus that still tell something, by their steps. The test of each is expected to fail: one
 * that is closed says so, and its line goes.
 */
export const GAPS: readonly { readonly why: string; readonly steps: readonly string[] }[] = [
  {
    why: 'computed values asked for by equality',
    steps: [
      'BEGIN',
      'UPDATE people SET salary = ascii(ssn)',
      'SELECT id FROM people WHERE salary = 103',
      'SELECT count(*) FROM people WHERE salary = 105',
      'ROLLBACK',
    ],
  },
  {
    why: 'computed values asked for by equality',
    steps: [
      'BEGIN',
      "UPDATE people SET active = ssn > 'm'",
      'SELECT id FROM people WHERE active',
      'ROLLBACK',
    ],
  },
  {
    why: 'computed values asked for by equality',
    steps: [
      "WITH u AS (UPDATE people SET active = ssn > 'm' RETURNING id, active) SELECT count(*) FROM u WHERE active",
    ],
  },
  {
    why: 'definitions on a masked relation',
    steps: [
      'CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO notes (id, body) VALUES (new.id + 500, new.ssn); RETURN new; END $$',
      'CREATE TRIGGER spy AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION spy()',
      'BEGIN',
      'UPDATE people SET city = city',
      'SELECT body FROM notes ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    why: 'definitions on a masked relation',
    steps: [
      "CREATE TRIGGER spy AFTER UPDATE ON people FOR EACH ROW WHEN (new.ssn < 'm') EXECUTE FUNCTION tell_change()",
      'BEGIN',
      'UPDATE people SET city = city',
      'ROLLBACK',
    ],
  },
  {
    why: 'definitions on a masked relation',
    steps: [
      'CREATE RULE spy AS ON UPDATE TO people DO ALSO INSERT INTO notes (id, body) VALUES (new.id + 500, new.ssn)',
      'BEGIN',
      'UPDATE people SET city = city',
      'SELECT body FROM notes ORDER BY id',
      'ROLLBACK',
    ],
  },
  {
    why: 'definitions on a masked relation',
    steps: [
      "CREATE POLICY spy ON people USING (ssn < 'm')",
      'ALTER TABLE people ENABLE ROW LEVEL SECURITY',
      'ALTER TABLE people FORCE ROW LEVEL SECURITY',
      'SET ROLE pg_read_all_data',
      'SELECT count(*) FROM people',
    ],
  },
  {
    why: 'definitions that test every row',
    steps: ['CREATE INDEX spy ON people (id) WHERE 1 / (salary - 3) > 0'],
  },
  {
    why: 'definitions that test every row',
    steps: ["CREATE UNIQUE INDEX spy ON people (city) WHERE ssn < 'h'"],
  },
  {
    why: 'definitions that test every row',
    steps: ["ALTER TABLE people ADD CONSTRAINT spy CHECK (ssn < 'm')"],
  },
  {
    why: 'definitions that test every row',
    steps: ['ALTER TABLE people ADD CONSTRAINT spy CHECK (salary < 100)'],
  },
  {
    why: 'definitions that test every row',
    steps: ["ALTER TABLE people ADD CONSTRAINT spy EXCLUDE (city WITH =) WHERE (ssn < 'h')"],
  },
  { why: 'failures', steps: ["SELECT ssn NOT LIKE 'h\\' FROM people"] },
  { why: 'failures', steps: ["SELECT ssn ~~ 'i\\' FROM people"] },
  { why: 'failures', steps: ['SELECT ARRAY[nums, ARRAY[1, 2]] FROM people'] },
  { why: 'failures', steps: ['SELECT array_agg(nums) FROM people'] },
  { why: 'failures', steps: ['SELECT ARRAY(SELECT nums FROM people)'] },
  {
    why: 'kinship cut',
    steps: [
      'CREATE TABLE spy (id int, ssn text)',
      'ALTER TABLE parted ATTACH PARTITION spy FOR VALUES IN (70)',
      'ALTER TABLE parted DETACH PARTITION parted_1',
      'SELECT ssn FROM parted_1',
    ],
  },
  {
    why: 'kinship cut',
    steps: ['ALTER TABLE people_child NO INHERIT people', 'SELECT ssn, email FROM people_child'],
  },
  { why: 'notices', steps: ["SELECT plainto_tsquery('english', left(ssn, 1)) FROM people"] },
  {
    why: 'notices',
    steps: [
      "SELECT phraseto_tsquery('english', ssn), websearch_to_tsquery('english', left(ssn, 1)) FROM people",
    ],
  },
  { why: 'order of rows', steps: ['CLUSTER people USING people_salary', 'SELECT id FROM people'] },
  {
    why: 'order of rows',
    steps: [
      'BEGIN',
      'CLUSTER people USING people_ssn_key',
      'SELECT id, ctid FROM ONLY people',
      'ROLLBACK',
    ],
  },
]
