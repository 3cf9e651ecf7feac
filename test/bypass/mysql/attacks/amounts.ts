/** What tells how much is stored: with copies of one value it tells how long that is, with an index of a prefix how it begins. */
import type { AttackList } from '../attack-list.ts'

const TEN = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => `SELECT ${n} AS n`).join(' UNION ALL ')

/** Seen over a thousand copies of one row's masked values. SHOW TABLE STATUS itself has the time of the last change. */
const GROWN = [
  'SELECT table_rows, avg_row_length, data_length, index_length, data_free FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name',
  "SHOW TABLE STATUS WHERE Name = 'people' AND Data_length > 120000",
  "SHOW TABLE STATUS WHERE (SELECT data_length FROM information_schema.tables WHERE table_name = 'people' AND table_schema = DATABASE()) > 120000",
  'SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND data_length > 120000 ORDER BY table_name',
  'SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY avg_row_length DESC, table_name',
  'SELECT data_length * 150000000000000 FROM information_schema.tables WHERE table_schema = DATABASE()',
  'SELECT SUM(data_length), MAX(avg_row_length) / 2, ROUND(MAX(data_length + index_length) / 1024) FROM information_schema.tables WHERE table_schema = DATABASE()',
  "SELECT data_length, avg_row_length FROM information_schema.partitions WHERE table_schema = DATABASE() AND table_name = 'people'",
  "SELECT total_extents, free_extents FROM information_schema.files WHERE file_name LIKE '%people.ibd'",
  'SELECT file_size FROM information_schema.innodb_tablespaces',
  'EXPLAIN SELECT id FROM people',
  'EXPLAIN FORMAT=JSON SELECT id FROM people',
  'EXPLAIN FORMAT=TREE SELECT id FROM people WHERE id > 5',
  'EXPLAIN FORMAT=TRADITIONAL SELECT city FROM people WHERE id > 1050',
  'EXPLAIN FORMAT=JSON SELECT 1 FROM people_open WHERE id > 1050',
  'EXPLAIN FORMAT=JSON SELECT d.id FROM dept d WHERE EXISTS (SELECT 1 FROM people p WHERE p.dept_id = d.id)',
  'EXPLAIN FORMAT=JSON DELETE FROM people WHERE id > 1050',
  'ANALYZE SELECT city FROM people WHERE id > 1050',
]

const grown = (seen: string) => ({
  steps: [
    `INSERT INTO people (id, paper) SELECT 1000 + a.n + 10 * b.n + 100 * c.n, p.paper FROM people p JOIN (${TEN}) a JOIN (${TEN}) b JOIN (${TEN}) c WHERE p.id = 1`,
    'COMMIT',
    'ANALYZE TABLE people',
    seen,
  ],
  undo: 'DELETE FROM people WHERE id >= 1000; ANALYZE TABLE people',
})

/** How many values begin differently: in one world all of them with a plus. */
const PREFIXES = [
  'SHOW INDEX FROM people',
  "SHOW KEYS FROM people WHERE Key_name = 'beginnings' AND Cardinality > 1",
  "SELECT cardinality FROM information_schema.statistics WHERE table_name = 'people' AND table_schema = DATABASE()",
  "SELECT index_name FROM information_schema.statistics WHERE table_name = 'people' AND table_schema = DATABASE() AND cardinality > 1 ORDER BY 1",
]

const prefixed = (seen: string) => ({
  steps: ['CREATE INDEX beginnings ON people (phone(1))', 'ANALYZE TABLE people', seen],
  undo: 'DROP INDEX beginnings ON people; ANALYZE TABLE people',
})

export const attacks: AttackList = [
  ...GROWN.map(grown),
  ...PREFIXES.map(prefixed),
  [
    'SET sql_big_selects = 0',
    'SET max_join_size = 60',
    'SELECT COUNT(*) FROM people p JOIN people q',
  ],
  ['SET max_join_size = 60, sql_safe_updates = 0', 'SELECT COUNT(*) FROM people p JOIN people q'],
  [
    "PREPARE s FROM 'SET max_join_size = 3, sql_safe_updates = 0'",
    'EXECUTE s',
    'SELECT COUNT(*) FROM people p JOIN people q',
    'SELECT @@max_join_size',
  ],
  ['SET max_join_size = 3, sql_safe_updates = 0; SELECT COUNT(*) FROM people p JOIN people q'],
  ['SET @@local.max_join_size = 3, @@session.max_join_size = 3', 'SELECT @@max_join_size'],
  [
    'SET STATEMENT max_join_size = 3, sql_select_limit = 5 FOR SELECT COUNT(*) FROM people p JOIN people q',
  ],
  ['SET max_join_size = 60, sql_big_selects = 0', 'SELECT COUNT(*) FROM people p JOIN people q'],
  'SELECT /*+ SET_VAR(max_join_size=3) */ COUNT(*) FROM people p JOIN people q',
  'SET STATEMENT max_join_size = 3 FOR SELECT COUNT(*) FROM people p JOIN people q',
  {
    steps: ["UPDATE people SET note = 'x' WHERE id = 1", 'COMMIT', 'SHOW BINARY LOG STATUS'],
    undo: "UPDATE people SET note = 'note 1' WHERE id = 1",
  },
  ['DELETE FROM people WHERE id = 900', 'COMMIT', 'SHOW MASTER STATUS'],
  'SHOW BINLOG STATUS',
  "SHOW STATUS LIKE 'Innodb_os_log_written'",
  "SHOW GLOBAL STATUS LIKE 'Binlog_bytes_written'",
]
