/** A small schema of text columns for random queries, and statements written for their shapes. */

export const SCHEMA = `
CREATE TABLE a (k VARCHAR(9), x VARCHAR(9), y VARCHAR(9));
CREATE TABLE b (k VARCHAR(9), x VARCHAR(9), z VARCHAR(9));
CREATE TABLE c (k VARCHAR(9), y VARCHAR(9), w VARCHAR(9), h VARCHAR(9) INVISIBLE);
CREATE TABLE g (k VARCHAR(9), v VARCHAR(9), u VARCHAR(30) AS (CONCAT(v, 'it''s', k)) STORED);
CREATE VIEW av AS SELECT k AS id, x AS secret, UPPER(y) AS loud FROM a;
CREATE VIEW nested (one, two) AS SELECT CONCAT(id, ''), secret FROM av WHERE loud IS NOT NULL;
CREATE VIEW mixed AS SELECT k, x FROM a UNION ALL SELECT k, z FROM b;
CREATE VIEW joined AS SELECT a.k, a.x, b.z FROM a LEFT JOIN b ON TRUE WHERE a.y IS NOT NULL OR b.x = 'it''s \\\\ "q"';
INSERT INTO a VALUES ('1', 'a', 'd'), ('2', 'b', 'e'), ('3', 'c', 'f'), ('4', 'd', 'd');
INSERT INTO b VALUES ('1', 'b', 'a'), ('2', 'c', 'b'), ('0', 'd', 'a'), ('1', 'e', 'b'), ('2', 'f', 'a');
INSERT INTO c (k, y, w, h) VALUES ('1', 'd', 'a', 'a'), ('2', 'e', 'b', 'b'), ('3', 'f', 'c', 'c');
INSERT INTO g (k, v) VALUES ('1', 'a'), ('2', 'b'), ('3', 'c'), ('4', 'd');
`

/** Columns of tables and views, without invisible ones. */
export const TABLES: Readonly<Record<string, readonly string[]>> = {
  a: ['k', 'x', 'y'],
  b: ['k', 'x', 'z'],
  c: ['k', 'y', 'w'],
  g: ['k', 'v', 'u'],
  av: ['id', 'secret', 'loud'],
  nested: ['one', 'two'],
  mixed: ['k', 'x'],
  joined: ['k', 'x', 'z'],
}

/** Base columns whose data the tests change. */
export const COLUMNS = [
  'a.k',
  'a.x',
  'a.y',
  'b.k',
  'b.x',
  'b.z',
  'c.k',
  'c.y',
  'c.w',
  'c.h',
  'g.k',
  'g.v',
]

/** Statements both servers run. */
export const STATEMENTS = [
  'SELECT * FROM a',
  'SELECT *, a.* FROM a, b',
  'SELECT b.*, y FROM a JOIN b ON a.k = b.k',
  'SELECT * FROM a RIGHT JOIN b ON a.k = b.k',
  'SELECT * FROM a NATURAL JOIN b',
  'SELECT * FROM a NATURAL LEFT JOIN b',
  'SELECT * FROM a NATURAL RIGHT JOIN b',
  'SELECT * FROM a JOIN b USING (x, k)',
  'SELECT * FROM a RIGHT JOIN b USING (x, k)',
  'SELECT k, a.k, b.k FROM a RIGHT JOIN b USING (k)',
  'SELECT * FROM c NATURAL JOIN (a NATURAL RIGHT JOIN b)',
  'SELECT * FROM (a, c) JOIN b ON a.k = b.k AND c.k = b.k',
  'SELECT * FROM a JOIN (b CROSS JOIN c) ON a.k = b.k',
  'SELECT * FROM a STRAIGHT_JOIN c USING (k)',
  'SELECT h, c.* FROM c',
  'SELECT * FROM c NATURAL JOIN g',
  'SELECT K, A.X FROM a AS A',
  'SELECT `x` `the x`, y "why" FROM a',
  "SELECT 1 + 1, 'text', x, UPPER(x), COUNT(*) FROM a GROUP BY x",
  'SELECT (1), (x), -k, NOT x, x IS NULL, (SELECT y FROM a b2 LIMIT 1) FROM a',
  'SELECT * FROM av',
  'SELECT * FROM nested n',
  'SELECT * FROM mixed',
  'SELECT * FROM joined',
  'SELECT two FROM (SELECT * FROM nested) d WHERE one = 1',
  'SELECT d.* FROM (SELECT x, y FROM a) d',
  'WITH q AS (SELECT x, k FROM a) SELECT q.*, b.z FROM q JOIN b USING (k)',
  'WITH q (m, n) AS (SELECT x, k FROM a), r AS (SELECT n FROM q) SELECT * FROM r, q',
  'WITH a AS (SELECT z AS zz FROM b) SELECT zz FROM a',
  'WITH RECURSIVE q AS (SELECT k, x FROM a UNION SELECT b.k, b.z FROM b JOIN q ON q.k = b.k) SELECT * FROM q',
  'SELECT x FROM a UNION SELECT z FROM b',
  '(SELECT x FROM a) UNION ALL (SELECT x FROM a) ORDER BY x LIMIT 3',
  'SELECT k FROM a EXCEPT SELECT k FROM b',
  'SELECT k FROM a INTERSECT SELECT k FROM b',
  'SELECT x, ROW_NUMBER() OVER w r, LAG(y) OVER (PARTITION BY k ORDER BY x) l FROM a WINDOW w AS (ORDER BY y)',
  "SELECT j.p FROM a, JSON_TABLE(CONCAT('[\"', x, '\"]'), '$[*]' COLUMNS (p VARCHAR(9) PATH '$')) j",
  'SELECT k, GROUP_CONCAT(x ORDER BY y) FROM a GROUP BY k WITH ROLLUP',
  'SELECT k AS x, x AS k FROM a ORDER BY x, k',
  'SELECT MAX(x) m FROM a GROUP BY y HAVING m > 1',
  'SELECT u, v FROM g',
  "SELECT CASE WHEN x = 'a' THEN y ELSE k END p, IF(x = 'b', y, k) q, IFNULL(x, y) r FROM a",
  'SELECT a.x, (SELECT MAX(z) FROM b WHERE b.k = a.k) FROM a WHERE EXISTS (SELECT 1 FROM c WHERE c.k = a.k)',
  'SELECT x FROM a WHERE (k, y) IN (SELECT k, y FROM c)',
  'SELECT SQL_CALC_FOUND_ROWS DISTINCT x FROM a LIMIT 1',
] as const
