/** Tables, views and code made to show masked values; what is allowed keeps them masked. */
import type { Attack } from '../run-attack.ts'

const UNDO = `DROP TABLE IF EXISTS made; DROP VIEW IF EXISTS made_view; DROP PROCEDURE IF EXISTS made_proc;
  DROP USER IF EXISTS made_user; DROP ROLE IF EXISTS made_role; DROP FUNCTION IF EXISTS made_fn; DROP TRIGGER IF EXISTS made_trigger; DROP EVENT IF EXISTS made_event`

const attack = (...steps: string[]): Attack => ({ steps, undo: UNDO, chain: true })
const read = 'SELECT * FROM made'
const readView = 'SELECT * FROM made_view'

export const attacks: readonly Attack[] = [
  attack('CREATE TABLE made AS SELECT ssn FROM people', read),
  attack('CREATE TABLE made SELECT id, ssn AS x FROM people', read),
  attack('CREATE TABLE made (x VARCHAR(60)) AS SELECT ssn AS x FROM people', read),
  attack('CREATE TABLE made (x VARCHAR(60)) REPLACE SELECT CONCAT(ssn) AS x FROM people', read),
  attack('CREATE TABLE made IGNORE AS TABLE accounts', read),
  attack('CREATE TEMPORARY TABLE made AS SELECT ssn FROM people', read),
  attack('CREATE TEMPORARY TABLE made (x TEXT)', 'INSERT INTO made SELECT ssn FROM people', read),
  attack('CREATE TEMPORARY TABLE made LIKE people', 'INSERT INTO made SELECT * FROM people', read),
  attack(
    'CREATE TEMPORARY TABLE people LIKE notes',
    'INSERT INTO people (body) SELECT owner_ssn FROM accounts',
    'SELECT body FROM people',
  ),
  attack('CREATE TEMPORARY TABLE dept AS SELECT * FROM people', 'SELECT * FROM dept'),
  attack(
    'CREATE TEMPORARY TABLE people (id INT, ssn VARCHAR(60), copy VARCHAR(60) AS (UPPER(ssn)))',
    'INSERT INTO people (ssn) SELECT owner_ssn FROM accounts',
    'SELECT copy FROM people',
  ),
  attack(
    'CREATE TEMPORARY TABLE people (id INT, ssn VARCHAR(60), copy VARCHAR(60) DEFAULT (UPPER(ssn)))',
    'INSERT INTO people (ssn) SELECT owner_ssn FROM accounts',
    'SELECT copy FROM people',
  ),
  attack(
    'CREATE TEMPORARY TABLE people LIKE people_generated',
    'INSERT INTO people (id, ssn) SELECT id, owner_ssn FROM accounts',
    'SELECT shout FROM people',
  ),
  attack(
    'CREATE TABLE made (id INT, ssn VARCHAR(60), copy VARCHAR(60) DEFAULT (UPPER(ssn)))',
    'INSERT INTO made (id, ssn) SELECT id, ssn FROM people',
    'SELECT copy FROM made',
  ),
  attack('CREATE TABLE made LIKE people', 'INSERT INTO made SELECT * FROM people', read),
  attack(
    'CREATE TABLE made LIKE people',
    'INSERT INTO made (id, ssn) SELECT id, ssn FROM people',
    'SELECT ssn FROM made',
  ),
  attack(
    'CREATE TABLE made (id INT, ssn VARCHAR(60))',
    'INSERT INTO made SELECT id, ssn FROM people',
    read,
  ),
  attack(
    'CREATE TABLE made (k INT AS (1), d VARCHAR(60) DEFAULT (SELECT ssn FROM people LIMIT 1))',
    'INSERT INTO made () VALUES ()',
    read,
  ),
  attack('CREATE VIEW made_view AS SELECT ssn FROM people', readView),
  attack('CREATE VIEW made_view (a) AS SELECT CONCAT(ssn) FROM people', readView),
  attack(
    'CREATE OR REPLACE ALGORITHM = TEMPTABLE SQL SECURITY DEFINER VIEW made_view AS SELECT id, ssn AS city FROM people',
    readView,
  ),
  attack("CREATE VIEW made_view AS SELECT id FROM people WHERE ssn > 'm'", readView),
  attack('CREATE VIEW made_view AS SELECT id FROM people ORDER BY ssn', readView),
  attack('CREATE VIEW made_view AS SELECT y AS z FROM people_view2', readView),
  attack(
    'CREATE VIEW made_view AS SELECT id, city FROM people',
    'ALTER VIEW made_view AS SELECT id, ssn AS city FROM people',
    readView,
  ),
  attack('CREATE VIEW made_view AS SELECT leak_fn() AS x', readView),
  // All of one text is read before the first of it runs.
  ...[
    'SELECT city FROM people_open WHERE id = 1',
    'SELECT CONCAT(city, id) AS x FROM people_open WHERE id = 1',
    'INSERT INTO notes (id, body) SELECT 777, city FROM people_open WHERE id = 1',
    'CREATE TABLE made AS SELECT city FROM people_open',
    'SET @w = (SELECT city FROM people_open WHERE id = 1)',
    "SELECT id FROM people_open WHERE city > 'm'",
  ].map(
    (behind): Attack => ({
      steps: [
        `CREATE OR REPLACE VIEW people_open AS SELECT id, ssn AS city, note FROM people; ${behind}`,
        'SELECT @w',
        'SELECT body FROM notes WHERE id = 777',
        read,
      ],
      undo: `${UNDO}; DELETE FROM notes WHERE id = 777; CREATE OR REPLACE VIEW people_open AS SELECT id, city, note FROM people`,
    }),
  ),
  {
    steps: [
      'BEGIN NOT ATOMIC CREATE OR REPLACE VIEW people_open AS SELECT id, ssn AS city, note FROM people; SELECT city FROM people_open; END',
    ],
    undo: 'CREATE OR REPLACE VIEW people_open AS SELECT id, city, note FROM people',
  },
  attack(
    'CREATE TEMPORARY TABLE accounts (id INT, owner_ssn VARCHAR(60), copy VARCHAR(60) AS (UPPER(owner_ssn))); INSERT INTO accounts (id, owner_ssn) SELECT id, ssn FROM people',
    'SELECT copy FROM accounts',
  ),
  attack(
    'CREATE FUNCTION made_fn() RETURNS TEXT READS SQL DATA RETURN (SELECT ssn FROM people WHERE id = 1)',
    'SELECT made_fn()',
  ),
  attack('CREATE PROCEDURE made_proc() SELECT ssn FROM people', 'CALL made_proc()'),
  attack(
    'CREATE PROCEDURE made_proc(OUT x TEXT) SELECT ssn INTO x FROM people WHERE id = 1',
    'CALL made_proc(@x)',
    'SELECT @x',
  ),
  attack(
    'CREATE TRIGGER made_trigger BEFORE UPDATE ON people FOR EACH ROW SET NEW.note = OLD.ssn',
    'UPDATE people SET city = city WHERE id = 1',
    'SELECT note FROM people WHERE id = 1',
  ),
  attack(
    'CREATE TRIGGER made_trigger AFTER INSERT ON notes FOR EACH ROW INSERT INTO audit_trail (what) SELECT ssn FROM people',
    'INSERT INTO notes (id) VALUES (77)',
  ),
  attack(
    'CREATE EVENT made_event ON SCHEDULE EVERY 1 DAY DO UPDATE notes SET body = (SELECT ssn FROM people LIMIT 1)',
  ),
  attack(
    'CREATE DEFINER = CURRENT_USER PROCEDURE made_proc() BEGIN DECLARE x TEXT; SELECT ssn INTO x FROM people LIMIT 1; SELECT x; END',
    'CALL made_proc()',
  ),
  attack(
    'BEGIN NOT ATOMIC DECLARE x TEXT; SELECT ssn INTO x FROM people WHERE id = 1; SELECT x; END',
  ),
  attack('BEGIN NOT ATOMIC FOR r IN (SELECT ssn FROM people) DO SELECT r.ssn; END FOR; END'),
  attack("IF (SELECT ssn > 'm' FROM people WHERE id = 1) THEN SELECT 1; ELSE SELECT 2; END IF"),
  attack(
    'ALTER TABLE people ADD COLUMN leaked VARCHAR(60) AS (UPPER(ssn))',
    'SELECT leaked FROM people',
  ),
  attack(
    'ALTER TABLE people ADD COLUMN leaked VARCHAR(60) DEFAULT (UPPER(ssn))',
    'SELECT leaked FROM people',
  ),
  attack('ALTER TABLE people RENAME COLUMN ssn TO city2', 'SELECT city2 FROM people'),
  attack('ALTER TABLE people CHANGE ssn plain VARCHAR(40)', 'SELECT plain FROM people'),
  attack('ALTER TABLE people MODIFY ssn INT'),
  attack('ALTER TABLE people MODIFY ssn VARCHAR(3)'),
  // `people` of world b has shorter values: what fits there and not in a is told by failing.
  attack('ALTER TABLE people CHANGE phone phone VARCHAR(12)'),
  attack('ALTER TABLE people CHANGE COLUMN salary SALARY SMALLINT'),
  attack('ALTER TABLE people CONVERT TO CHARACTER SET ascii'),
  attack('ALTER TABLE accounts CONVERT TO CHARACTER SET latin1 COLLATE latin1_general_ci'),
  attack("ALTER TABLE people ADD CONSTRAINT c CHECK (id <> 1 OR ssn > 'm')"),
  attack('ALTER TABLE people ADD UNIQUE (salary)'),
  attack('ALTER TABLE people ADD UNIQUE ((LEFT(ssn, 1)))'),
  attack("ALTER TABLE people ADD UNIQUE ((IF(id = 1 AND ssn > 'm', 2, id)))"),
  attack('ALTER TABLE people ADD FOREIGN KEY (ssn) REFERENCES cards (number)'),
  attack('ALTER TABLE people ORDER BY ssn', 'SELECT id FROM people'),
  attack('ALTER TABLE people RENAME TO people_gone', 'SELECT ssn FROM people_gone'),
  attack('RENAME TABLE people TO people_gone, dept TO people'),
  attack('RENAME TABLE accounts TO made', 'SELECT owner_ssn FROM made'),
  attack(
    'ALTER TABLE parted EXCHANGE PARTITION low WITH TABLE parted_like',
    'SELECT ssn FROM parted_like',
  ),
  attack('ALTER TABLE parted REORGANIZE PARTITION low INTO (PARTITION lower VALUES LESS THAN (4))'),
  attack(
    'ALTER TABLE people PARTITION BY KEY (ssn) PARTITIONS 4',
    'SELECT id FROM people PARTITION (p1)',
  ),
  attack(
    'ALTER TABLE parted_like PARTITION BY RANGE COLUMNS (ssn) (PARTITION p0 VALUES LESS THAN ("m"), PARTITION p1 VALUES LESS THAN (MAXVALUE))',
  ),
  attack(
    'ALTER TABLE people ALTER COLUMN note SET DEFAULT (UPPER(ssn))',
    "INSERT INTO people (id, ssn) VALUES (990, 'x')",
  ),
  attack('ALTER TABLE people DISABLE KEYS'),
  attack('ALTER TABLE people CONVERT TO CHARACTER SET ascii'),
  attack('CREATE INDEX by_ssn ON people (ssn)', 'SELECT id FROM people WHERE ssn IS NOT NULL'),
  attack('CREATE UNIQUE INDEX by_mood ON people (mood)'),
  attack('CREATE UNIQUE INDEX by_first ON people ((LEFT(ssn, 1)))'),
  attack('CREATE INDEX by_prefix ON people (ssn(1))', 'SHOW INDEX FROM people'),
  attack('CREATE SERVER made_server FOREIGN DATA WRAPPER mysql OPTIONS (HOST "127.0.0.1")'),
  attack(
    "CREATE TABLE made (x TEXT) ENGINE = FEDERATED CONNECTION = 'mysql://root@127.0.0.1/{db}/people'",
    read,
  ),
  attack('CREATE TABLE made (id INT, ssn TEXT) ENGINE = MERGE UNION = (people)', read),
  attack(
    "CREATE TABLE made (x TEXT) ENGINE = CONNECT TABLE_TYPE = MYSQL SRCDEF = 'SELECT ssn FROM people'",
    read,
  ),
  attack(
    'CREATE TABLE made (x VARCHAR(40), FOREIGN KEY (x) REFERENCES people (ssn))',
    "INSERT INTO made VALUES ('ggg')",
  ),
  attack('CREATE ROLE made_role'),
  attack('CREATE USER made_user', 'GRANT ALL ON *.* TO made_user'),
  attack('GRANT SELECT (ssn) ON people TO CURRENT_USER'),
  attack("INSTALL PLUGIN x SONAME 'y.so'"),
  attack("CREATE FUNCTION made_fn RETURNS STRING SONAME 'y.so'"),
  attack('TRUNCATE parted_like'),
  attack('CREATE OR REPLACE SEQUENCE made START WITH 1', 'SELECT NEXTVAL(made)'),
  attack('CREATE SEQUENCE made START WITH (SELECT salary FROM people WHERE id = 1)'),
  attack('CREATE TABLE made (id INT) AUTO_INCREMENT = (SELECT salary FROM people)'),
  attack('CREATE PACKAGE made AS FUNCTION f RETURN INT; END'),
]
