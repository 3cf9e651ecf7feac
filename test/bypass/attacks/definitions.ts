/** Definitions that carry, order or test masked values when they are made or used. */
import type { AttackList } from './attack-list.ts'

export const attacks: AttackList = [
  {
    steps: [
      'CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO notes (id, body) VALUES (new.id + 500, new.ssn); RETURN new; END $$',
      'CREATE TRIGGER spy AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION spy()',
      'BEGIN',
      'UPDATE people SET city = city',
      'SELECT body FROM notes ORDER BY id',
      'ROLLBACK',
    ],
    undo: 'DROP TRIGGER IF EXISTS spy ON people; DROP FUNCTION IF EXISTS spy(); DELETE FROM notes WHERE id > 400',
  },
  {
    steps: [
      "CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', new.ssn; RETURN new; END $$",
      'CREATE TRIGGER spy AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION spy()',
      'BEGIN',
      'UPDATE people SET city = city',
      'ROLLBACK',
    ],
    undo: 'DROP TRIGGER IF EXISTS spy ON people; DROP FUNCTION IF EXISTS spy()',
  },
  {
    steps: [
      "CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.ssn < 'm' THEN RAISE EXCEPTION 'no'; END IF; RETURN new; END $$",
      'CREATE TRIGGER spy BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION spy()',
      'BEGIN',
      'UPDATE people SET city = city WHERE id = 2',
      'ROLLBACK',
    ],
    undo: 'DROP TRIGGER IF EXISTS spy ON people; DROP FUNCTION IF EXISTS spy()',
  },
  {
    steps: [
      "CREATE TRIGGER spy AFTER UPDATE ON people FOR EACH ROW WHEN (new.ssn < 'm') EXECUTE FUNCTION tell_change()",
      'BEGIN',
      'UPDATE people SET city = city',
      'ROLLBACK',
    ],
    undo: 'DROP TRIGGER IF EXISTS spy ON people',
  },
  {
    steps: [
      'CREATE RULE spy AS ON UPDATE TO people DO ALSO INSERT INTO notes (id, body) VALUES (new.id + 500, new.ssn)',
      'BEGIN',
      'UPDATE people SET city = city',
      'SELECT body FROM notes ORDER BY id',
      'ROLLBACK',
    ],
    undo: 'DROP RULE IF EXISTS spy ON people; DELETE FROM notes WHERE id > 400',
  },
  {
    steps: [
      'CREATE RULE spy AS ON INSERT TO notes DO INSTEAD SELECT ssn FROM people',
      'INSERT INTO notes (id) VALUES (77)',
    ],
    undo: 'DROP RULE IF EXISTS spy ON notes; DELETE FROM notes WHERE id = 77',
  },
  'CREATE UNIQUE INDEX spy ON people (left(ssn, 1))',
  'CREATE INDEX spy ON people ((1 / (salary - 7)))',
  'CREATE INDEX spy ON people (id) WHERE 1 / (salary - 3) > 0',
  "CREATE UNIQUE INDEX spy ON people ((ssn < 'h'))",
  "CREATE UNIQUE INDEX spy ON people (city) WHERE ssn < 'h'",
  'CREATE INDEX spy ON people (notice_it(ssn))',
  "ALTER TABLE people ADD CONSTRAINT spy CHECK (ssn < 'm')",
  'ALTER TABLE people ADD CONSTRAINT spy CHECK (salary < 100)',
  'ALTER TABLE people ADD CONSTRAINT spy UNIQUE (active, mood)',
  "ALTER TABLE people ADD CONSTRAINT spy EXCLUDE (city WITH =) WHERE (ssn < 'h')",
  'ALTER TABLE people ALTER COLUMN salary TYPE smallint',
  'ALTER TABLE people ALTER COLUMN ssn TYPE int USING ssn::int',
  'ALTER TABLE people ALTER COLUMN ssn TYPE varchar(10)',
  'ALTER TABLE people ALTER COLUMN city TYPE text USING ssn',
  {
    steps: [
      'BEGIN',
      'ALTER TABLE people ALTER COLUMN city TYPE text USING ssn',
      'SELECT city FROM people',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'ALTER TABLE people ADD COLUMN spy text GENERATED ALWAYS AS (left(ssn, 3)) STORED',
      'SELECT spy FROM people',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'ALTER TABLE people ADD COLUMN spy text GENERATED ALWAYS AS (left(ssn, 3)) VIRTUAL',
      "SELECT id FROM people WHERE spy = 'gaa'",
      'SELECT spy FROM people',
      'ROLLBACK',
    ],
  },
  'ALTER TABLE people ADD COLUMN spy int GENERATED ALWAYS AS (1 / (salary - 3)) STORED',
  "ALTER TABLE people ADD COLUMN spy int DEFAULT notice_it('x')",
  {
    steps: ['ALTER TABLE people RENAME COLUMN ssn TO spy', 'SELECT spy FROM people'],
    undo: 'DO $$ BEGIN ALTER TABLE people RENAME COLUMN spy TO ssn; EXCEPTION WHEN undefined_column THEN END $$',
  },
  {
    steps: [
      'BEGIN',
      'ALTER TABLE people RENAME COLUMN city TO was',
      'ALTER TABLE people RENAME COLUMN ssn TO city',
      'SELECT city FROM people',
      'ROLLBACK',
    ],
  },
  {
    steps: ['ALTER TABLE people RENAME TO spied', 'SELECT ssn FROM spied'],
    undo: 'DO $$ BEGIN ALTER TABLE spied RENAME TO people; EXCEPTION WHEN undefined_table THEN END $$',
  },
  {
    steps: [
      'BEGIN',
      'ALTER TABLE people RENAME TO spied',
      'ALTER TABLE notes RENAME TO people',
      'SELECT * FROM spied',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'ALTER SCHEMA public RENAME TO hidden',
      'SELECT ssn FROM hidden.people',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'CREATE SCHEMA elsewhere',
      'ALTER TABLE people SET SCHEMA elsewhere',
      'SELECT ssn FROM elsewhere.people',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'CREATE VIEW spy AS SELECT ssn AS x FROM people',
      'SELECT x FROM spy',
      "SELECT id FROM people JOIN spy ON x < 'm'",
    ],
    undo: 'DROP VIEW IF EXISTS spy',
  },
  {
    steps: [
      'CREATE OR REPLACE VIEW open.people AS SELECT id, ssn AS city, note FROM public.people',
      'SELECT city FROM open.people',
    ],
    undo: 'CREATE OR REPLACE VIEW open.people AS SELECT id, city, note FROM public.people',
  },
  {
    steps: [
      "CREATE OR REPLACE VIEW open.people AS SELECT id, city, note FROM public.people WHERE ssn < 'm'",
      'SELECT count(*) FROM open.people',
    ],
    undo: 'CREATE OR REPLACE VIEW open.people AS SELECT id, city, note FROM public.people',
  },
  {
    steps: [
      'CREATE TEMP VIEW spy AS SELECT ssn FROM people',
      'SELECT * FROM spy',
      'SELECT * FROM pg_temp.spy',
    ],
  },
  {
    steps: [
      'CREATE MATERIALIZED VIEW spy AS SELECT ssn FROM people WITH NO DATA',
      'REFRESH MATERIALIZED VIEW spy',
      'SELECT * FROM spy',
    ],
    undo: 'DROP MATERIALIZED VIEW IF EXISTS spy',
  },
  {
    steps: [
      'CREATE TABLE spy (LIKE people INCLUDING ALL)',
      'INSERT INTO spy TABLE people',
      'SELECT ssn FROM spy',
    ],
    undo: 'DROP TABLE IF EXISTS spy',
  },
  {
    steps: [
      'CREATE TABLE spy AS TABLE people WITH NO DATA',
      'INSERT INTO spy SELECT * FROM people',
      'SELECT ssn FROM spy',
    ],
    undo: 'DROP TABLE IF EXISTS spy',
  },
  {
    steps: [
      'CREATE TABLE spy (id int, ssn text)',
      'ALTER TABLE parted ATTACH PARTITION spy FOR VALUES IN (70)',
      'ALTER TABLE parted DETACH PARTITION parted_1',
      'SELECT ssn FROM parted_1',
    ],
    undo: 'DO $$ BEGIN ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES IN (1, 2, 3); EXCEPTION WHEN others THEN END $$; DROP TABLE IF EXISTS spy',
  },
  {
    steps: ['ALTER TABLE people_child NO INHERIT people', 'SELECT ssn, email FROM people_child'],
    undo: 'DO $$ BEGIN ALTER TABLE people_child INHERIT people; EXCEPTION WHEN others THEN END $$',
  },
  {
    steps: ["CREATE DOMAIN spy AS text CHECK (VALUE > 'm')", 'SELECT ssn::spy FROM people'],
    undo: 'DROP DOMAIN IF EXISTS spy',
  },
  {
    steps: ['CREATE TYPE spy AS (x text)', 'SELECT ROW(ssn)::spy, (ROW(ssn)::spy).x FROM people'],
    undo: 'DROP TYPE IF EXISTS spy',
  },
  {
    steps: [
      "CREATE FUNCTION spy(text) RETURNS text IMMUTABLE LANGUAGE sql RETURN $1 || 'x'",
      'SELECT spy(ssn) FROM people',
      "SELECT id FROM people WHERE spy(ssn) < 'm'",
    ],
    undo: 'DROP FUNCTION IF EXISTS spy(text)',
  },
  {
    steps: [
      "CREATE FUNCTION upper(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', $1; RETURN $1; END $$",
      'SET search_path = public, pg_catalog',
      'SELECT upper(ssn) FROM people',
    ],
    undo: 'DROP FUNCTION IF EXISTS public.upper(text)',
  },
  {
    steps: [
      "CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
      'SELECT pg_temp.lower(ssn) FROM people',
    ],
  },
  {
    steps: [
      'CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = second)',
      'SELECT ssn OPERATOR(public.||) ssn FROM people',
      'SET search_path = public, pg_catalog',
      "SELECT 'x' || ssn FROM people",
    ],
    undo: 'DROP OPERATOR IF EXISTS public.|| (text, text)',
  },
  {
    steps: [
      'CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = textlike)',
      'SET search_path = public, pg_catalog',
      "SELECT id FROM people WHERE ssn = 'g%'",
    ],
    why: 'the search path makes = another operator',
    undo: 'DROP OPERATOR IF EXISTS public.= (text, text)',
  },
  {
    steps: [
      'CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = text_lt)',
      "SELECT id FROM people WHERE ssn OPERATOR(public.=) 'm'",
    ],
    undo: 'DROP OPERATOR IF EXISTS public.= (text, text)',
  },
  {
    steps: [
      'CREATE CAST (text AS int4) WITH FUNCTION length(text) AS IMPLICIT',
      'SELECT ssn + 1 FROM people',
      'SELECT id FROM people WHERE ssn = 20',
    ],
    undo: 'DROP CAST IF EXISTS (text AS int4)',
  },
  {
    steps: [
      "CREATE AGGREGATE spy(text) (SFUNC = textcat, STYPE = text, INITCOND = '')",
      'SELECT spy(ssn) FROM people',
    ],
    undo: 'DROP AGGREGATE IF EXISTS spy(text)',
  },
  {
    steps: [
      "CREATE COLLATION spy (provider = icu, locale = 'und-u-ks-level1')",
      "SELECT id FROM people WHERE ssn COLLATE spy = 'g'",
    ],
    undo: 'DROP COLLATION IF EXISTS spy',
  },
  {
    steps: [
      "CREATE COLLATION spy (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
      "SELECT id FROM people WHERE ssn = 'GABC' COLLATE spy",
    ],
    undo: 'DROP COLLATION IF EXISTS spy',
  },
  {
    steps: [
      "CREATE POLICY spy ON people USING (ssn < 'm')",
      'ALTER TABLE people ENABLE ROW LEVEL SECURITY',
      'ALTER TABLE people FORCE ROW LEVEL SECURITY',
      'SET ROLE pg_read_all_data',
      'SELECT count(*) FROM people',
    ],
    undo: 'DROP POLICY IF EXISTS spy ON people; ALTER TABLE people NO FORCE ROW LEVEL SECURITY; ALTER TABLE people DISABLE ROW LEVEL SECURITY',
  },
  'CREATE STATISTICS spy ON ssn, email FROM people',
  {
    steps: [
      'CREATE STATISTICS spy (mcv) ON ssn, email FROM people',
      'ANALYZE people',
      'SELECT * FROM pg_stats_ext',
      'SELECT * FROM pg_statistic_ext_data',
      'SELECT m.* FROM pg_statistic_ext_data, pg_mcv_list_items(stxdmcv) m',
    ],
    undo: 'DROP STATISTICS IF EXISTS spy',
  },
  { steps: ['CREATE FOREIGN TABLE spy (x text) SERVER none', 'SELECT * FROM spy'] },
  {
    steps: [
      'CREATE SERVER loopback FOREIGN DATA WRAPPER postgres_fdw',
      'IMPORT FOREIGN SCHEMA public FROM SERVER loopback INTO open',
    ],
    undo: 'DROP SERVER IF EXISTS loopback CASCADE',
  },
  { steps: ['CREATE PUBLICATION spy FOR TABLE people'], undo: 'DROP PUBLICATION IF EXISTS spy' },
  "COMMENT ON TABLE people IS 'x'",
  {
    steps: ['CLUSTER people USING people_salary', 'SELECT id FROM people'],
    why: 'rows then lie in the order of salaries',
    undo: 'CLUSTER people USING people_pkey',
  },
  {
    steps: [
      'BEGIN',
      'CLUSTER people USING people_ssn_key',
      'SELECT id, ctid FROM ONLY people',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'BEGIN',
      'ALTER TABLE people CLUSTER ON people_salary',
      'CLUSTER people',
      'SELECT id FROM people',
      'ROLLBACK',
    ],
  },
  {
    steps: [
      'CREATE TABLE ordered (id int)',
      'INSERT INTO ordered SELECT id FROM people ORDER BY ssn',
      'SELECT id FROM ordered',
    ],
    undo: 'DROP TABLE IF EXISTS ordered',
  },
  'CREATE TABLE ordered AS SELECT id FROM people ORDER BY ssn',
  "CREATE TABLE counted AS SELECT count(*) AS n FROM people WHERE ssn < 'm'",
  'CREATE VIEW sorted AS SELECT id FROM people ORDER BY ssn',
  {
    steps: ['CREATE EVENT TRIGGER spy ON ddl_command_end EXECUTE FUNCTION tell_change()'],
    undo: 'DROP EVENT TRIGGER IF EXISTS spy',
  },
  'CREATE FUNCTION spy() RETURNS text LANGUAGE sql RETURN (SELECT max(ssn) FROM people)',
  'CREATE FUNCTION spy() RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC SELECT ssn FROM people; END',
  {
    steps: [
      "CREATE PROCEDURE spy(INOUT x text) LANGUAGE sql AS 'SELECT max(ssn) FROM people'",
      'CALL spy(NULL)',
    ],
    undo: 'DROP PROCEDURE IF EXISTS spy(text)',
  },
  {
    steps: ['ALTER FUNCTION keep_it(anyelement) IMMUTABLE', 'SELECT keep_it(ssn) FROM people'],
    undo: 'ALTER FUNCTION keep_it(anyelement) VOLATILE',
  },
  'ALTER TABLE accounts ADD FOREIGN KEY (owner_ssn) REFERENCES cards (number)',
  'ALTER TABLE notes ADD FOREIGN KEY (body) REFERENCES people (ssn)',
  "CREATE TABLE spy (x text REFERENCES people (ssn) DEFAULT 'guess')",
  'ALTER TABLE people VALIDATE CONSTRAINT people_ssn_key',
  'CREATE TABLE spy PARTITION OF parted FOR VALUES IN (9)',
  'GRANT ALL ON people TO PUBLIC',
  'ALTER TABLE people OWNER TO pg_read_all_data',
  'ALTER TABLE people SET (autovacuum_enabled = off)',
  'DROP TABLE people CASCADE',
  'DROP VIEW people_view, people_view2',
  "SECURITY LABEL FOR x ON COLUMN people.ssn IS 'y'",
]
