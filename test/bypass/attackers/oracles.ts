/**
 * Ways to ask one question about a masked value: is what comes next in it less than this? Each gives a
 * statement (or several of one session) whose answer is different for yes and no, if the guard lets it.
 */

/** `low` and `high` are texts: is the ssn of row 1 in [low, high)? `one` is a single character. */
export interface Question {
  readonly prefix: string
  readonly below: string
}

export interface Oracle {
  readonly name: string
  /** Statements of one session; what they are answered with, as bytes, is the answer. */
  readonly ask: (question: Question) => readonly string[]
}

/** Questions about one character: is it below itself (no), is it below the next (yes). */
export function separating(secret: string, at: number): Question[] {
  const prefix = secret.slice(0, at)
  const code = secret.charCodeAt(at)
  return [code, code + 1].map((bound) => ({ prefix, below: String.fromCharCode(bound) }))
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`
/** The ssn of row 1 starts with the prefix, followed by a character below the bound. */
const condition = ({ prefix, below }: Question, column = 'ssn'): string =>
  `${column} >= ${quote(prefix)} COLLATE "C" AND ${column} < ${quote(prefix + below)} COLLATE "C"`
const like = ({ prefix, below }: Question): string =>
  `ssn ~ ${quote(`^${inRegex(prefix)}[!-${inRegex(String.fromCharCode(below.charCodeAt(0) - 1))}]`)}`
const inRegex = (text: string): string =>
  text.replaceAll(/[^A-Za-z0-9]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
const nextCode = ({ prefix, below }: Question): string =>
  `ascii(substr(ssn, ${prefix.length + 1}, 1)) < ${below.charCodeAt(0)}`

const one =
  (text: (question: Question) => string): Oracle['ask'] =>
  (question) => [text(question)]

export const ORACLES: readonly Oracle[] = [
  { name: 'range', ask: one((q) => `SELECT id FROM people WHERE id = 1 AND ${condition(q)}`) },
  {
    name: 'count of a range',
    ask: one((q) => `SELECT count(*) FROM people WHERE id = 1 AND ${condition(q)}`),
  },
  {
    name: 'BETWEEN',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people WHERE id = 1 AND ssn COLLATE "C" BETWEEN ${quote(prefix)} AND ${quote(prefix + below)}`,
    ),
  },
  {
    name: 'regular expression',
    ask: one((q) => `SELECT id FROM people WHERE id = 1 AND ${like(q)}`),
  },
  {
    name: 'LIKE',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people WHERE id = 1 AND ssn LIKE ${quote(`${prefix}${below}%`)}`,
    ),
  },
  {
    name: 'character code',
    ask: one((q) => `SELECT id FROM people WHERE id = 1 AND ${nextCode(q)}`),
  },
  {
    name: 'substring equality',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people WHERE id = 1 AND substr(ssn, ${prefix.length + 1}, 1) = ${quote(below)}`,
    ),
  },
  {
    name: 'CASE in the list',
    ask: one((q) => `SELECT CASE WHEN ${nextCode(q)} THEN 1 ELSE 0 END FROM people WHERE id = 1`),
  },
  {
    name: 'NULL in the list',
    ask: one((q) => `SELECT nullif(${nextCode(q)}, false) FROM people WHERE id = 1`),
  },
  {
    name: 'count of NULLs',
    ask: one((q) => `SELECT count(nullif(${nextCode(q)}, false)) FROM people WHERE id = 1`),
  },
  {
    name: 'FILTER',
    ask: one((q) => `SELECT count(*) FILTER (WHERE ${nextCode(q)}) FROM people WHERE id = 1`),
  },
  {
    name: 'HAVING',
    ask: one((q) => `SELECT 1 FROM people WHERE id = 1 HAVING bool_or(${nextCode(q)})`),
  },
  {
    name: 'division',
    ask: one(
      (q) => `SELECT 1 / (CASE WHEN ${nextCode(q)} THEN 1 ELSE 0 END) FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'division behind CASE',
    ask: one(
      (q) =>
        `SELECT CASE WHEN ${nextCode(q)} THEN 1 ELSE 1 / (id - 1) END FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'cast',
    ask: one(
      (q) =>
        `SELECT (CASE WHEN ${nextCode(q)} THEN '1' ELSE 'x' END)::int FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'array bounds',
    ask: one(
      (q) =>
        `SELECT array_fill(0, ARRAY[CASE WHEN ${nextCode(q)} THEN 1 ELSE -1 END]) FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'regular expression that is none',
    ask: one(
      (q) =>
        `SELECT 'a' ~ (CASE WHEN ${nextCode(q)} THEN 'a' ELSE '(' END) FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'pattern that ends in its escape',
    ask: one(
      ({ prefix, below }) =>
        `SELECT ssn LIKE ${quote(`${prefix}${below}\\`)} FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'subquery of two rows',
    ask: one(
      (q) =>
        `SELECT (SELECT n FROM generate_series(1, 2) n WHERE n = 1 OR ${nextCode(q)}) FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'JSON error',
    ask: one(
      (q) =>
        `SELECT jsonb_path_query('{}', CASE WHEN ${nextCode(q)} THEN '$' ELSE '$$' END::jsonpath) FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'set-returning',
    ask: one(
      (q) =>
        `SELECT generate_series(1, CASE WHEN ${nextCode(q)} THEN 1 ELSE 2 END) FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'unnest',
    ask: one(
      ({ below }) =>
        `SELECT 1 FROM people, unnest(string_to_array(ssn, ${quote(below)})) WHERE id = 1`,
    ),
  },
  {
    name: 'regexp_matches',
    ask: one(
      (q) =>
        `SELECT regexp_matches(ssn, ${quote(`^${inRegex(q.prefix)}[!-${inRegex(q.below)}]`)}) FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'LIMIT',
    ask: one(
      (q) => `SELECT id FROM dept LIMIT (SELECT (${nextCode(q)})::int FROM people WHERE id = 1)`,
    ),
  },
  {
    name: 'OFFSET',
    ask: one(
      (q) => `SELECT id FROM dept OFFSET (SELECT (${nextCode(q)})::int FROM people WHERE id = 1)`,
    ),
  },
  {
    name: 'order against a constant',
    ask: one(
      ({ prefix, below }) =>
        `SELECT n FROM (SELECT 1 AS n, ssn AS v FROM people WHERE id = 1 UNION ALL SELECT 2, ${quote(prefix + below)}) s ORDER BY v COLLATE "C" LIMIT 1`,
    ),
  },
  {
    name: 'order position',
    ask: one(
      ({ prefix, below }) =>
        `SELECT 1 AS n, ssn FROM people WHERE id = 1 UNION ALL SELECT 2, ${quote(prefix + below)} ORDER BY 2`,
    ),
  },
  {
    name: 'rank',
    ask: one(
      ({ prefix, below }) =>
        `SELECT rank(${quote(prefix + below)}) WITHIN GROUP (ORDER BY ssn COLLATE "C") FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'greatest equals',
    ask: one(
      ({ prefix, below }) =>
        `SELECT greatest(ssn, ${quote(prefix + below)}) = ssn FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'EXISTS',
    ask: one((q) => `SELECT 1 WHERE EXISTS (SELECT FROM people WHERE id = 1 AND ${condition(q)})`),
  },
  {
    name: 'scalar subquery',
    ask: one(
      (q) =>
        `SELECT (SELECT d.id FROM people p, dept d WHERE p.id = 1 AND d.id = 1 AND ${condition(q, 'p.ssn')})`,
    ),
  },
  {
    name: 'IN subquery',
    ask: one((q) => `SELECT 1 WHERE 1 IN (SELECT id FROM people WHERE ${condition(q)})`),
  },
  {
    name: 'join to VALUES',
    ask: one(
      ({ prefix, below }) =>
        `SELECT v.x FROM people p JOIN (VALUES (${quote(prefix + below)})) v(x) ON p.ssn < v.x WHERE p.id = 1`,
    ),
  },
  {
    name: 'LATERAL',
    ask: one(
      (q) =>
        `SELECT l.x FROM people p LEFT JOIN LATERAL (SELECT 1 AS x WHERE ${condition(q, 'p.ssn')}) l ON true WHERE p.id = 1`,
    ),
  },
  {
    name: 'recursive query',
    ask: one(
      (q) =>
        `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3 AND EXISTS (SELECT FROM people WHERE id = 1 AND ${condition(q)})) SELECT n FROM r`,
    ),
  },
  {
    name: 'set operation',
    ask: one((q) => `SELECT true EXCEPT SELECT ${nextCode(q)} FROM people WHERE id = 1`),
  },
  {
    name: 'DISTINCT',
    ask: one(
      (q) =>
        `SELECT DISTINCT x FROM (SELECT ${nextCode(q)} AS x FROM people WHERE id = 1 UNION ALL SELECT true) s`,
    ),
  },
  {
    name: 'GROUP BY',
    ask: one(
      (q) =>
        `SELECT count(*) FROM (SELECT 1 AS k UNION ALL SELECT (${nextCode(q)})::int FROM people WHERE id = 1) s GROUP BY k`,
    ),
  },
  {
    name: 'EXPLAIN ANALYZE',
    ask: one(
      (q) =>
        `EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off, BUFFERS off) SELECT 1 FROM people WHERE id = 1 AND ${condition(q)}`,
    ),
  },
  { name: 'row estimates', ask: one((q) => `EXPLAIN SELECT 1 FROM people WHERE ${condition(q)}`) },
  {
    name: 'rows of an UPDATE',
    ask: (q) => [
      'BEGIN',
      `UPDATE people SET city = city WHERE id = 1 AND ${condition(q)}`,
      'ROLLBACK',
    ],
  },
  {
    name: 'rows of a DELETE',
    ask: (q) => [
      'BEGIN',
      `DELETE FROM accounts WHERE id = 1 AND owner_ssn < ${quote(q.prefix + q.below)} RETURNING id`,
      'ROLLBACK',
    ],
  },
  {
    name: 'INSERT … SELECT',
    ask: (q) => [
      'BEGIN',
      `INSERT INTO notes (id) SELECT id + 500 FROM people WHERE id = 1 AND ${condition(q)}`,
      'ROLLBACK',
    ],
  },
  {
    name: 'ON CONFLICT',
    ask: (q) => [
      'BEGIN',
      `INSERT INTO people (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET city = 'x' WHERE ${condition(q, 'people.ssn')} RETURNING id`,
      'ROLLBACK',
    ],
  },
  {
    name: 'unique violation of a part',
    ask: ({ prefix, below }) => [
      'BEGIN',
      `INSERT INTO people (id, ssn) SELECT 900, left(ssn, ${prefix.length}) || ${quote(below)} FROM people WHERE id = 1`,
      `INSERT INTO people (id, ssn) VALUES (901, ${quote(prefix + below)})`,
      'ROLLBACK',
    ],
  },
  {
    name: 'MERGE',
    ask: (q) => [
      'BEGIN',
      `MERGE INTO notes n USING people p ON n.id = p.id WHEN MATCHED AND ${condition(q, 'p.ssn')} THEN DELETE RETURNING n.id`,
      'ROLLBACK',
    ],
  },
  {
    name: 'code kept in a masked column',
    ask: ({ prefix, below }) => [
      'BEGIN',
      `UPDATE people SET salary = ascii(substr(ssn, ${prefix.length + 1}, 1)) WHERE id = 1`,
      `SELECT id FROM people WHERE salary = ${below.charCodeAt(0) - 1}`,
      'ROLLBACK',
    ],
  },
  {
    name: 'code kept in a number',
    ask: ({ prefix, below }) => [
      'BEGIN',
      `UPDATE people SET manager_id = ascii(substr(ssn, ${prefix.length + 1}, 1)) WHERE id = 1`,
      `SELECT id FROM people WHERE manager_id < ${below.charCodeAt(0)}`,
      'ROLLBACK',
    ],
  },
  {
    name: 'sequence',
    ask: (q) => [
      'BEGIN',
      `SELECT CASE WHEN ${nextCode(q)} THEN nextval('counter') END FROM people WHERE id = 1`,
      'SELECT last_value, is_called FROM counter',
      'ROLLBACK',
    ],
  },
  {
    name: 'advisory lock',
    ask: (q) => [
      'BEGIN',
      `SELECT pg_advisory_xact_lock(77) FROM people WHERE id = 1 AND ${condition(q)}`,
      "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
      'ROLLBACK',
    ],
  },
  {
    name: 'setting',
    ask: (q) => [
      `SELECT set_config('work_mem', CASE WHEN ${nextCode(q)} THEN '1MB' ELSE '2MB' END, false) FROM people WHERE id = 1`,
      'SHOW work_mem',
      'RESET work_mem',
    ],
  },
  {
    name: 'cursor position',
    ask: (q) => [
      'BEGIN',
      `DECLARE c CURSOR FOR SELECT 1 FROM people WHERE id = 1 AND ${condition(q)}`,
      'MOVE ALL FROM c',
      'ROLLBACK',
    ],
  },
  {
    name: 'temporary table',
    ask: (q) => [
      'BEGIN',
      `CREATE TEMP TABLE t1 AS SELECT id FROM people WHERE id = 1 AND ${condition(q)}`,
      'SELECT count(*) FROM t1',
      'ROLLBACK',
    ],
  },
  {
    name: 'row locks',
    ask: (q) => [
      'BEGIN',
      `SELECT 1 FROM people WHERE id = 1 AND ${condition(q)} FOR UPDATE`,
      'SELECT id FROM people WHERE xmax <> 0',
      'ROLLBACK',
    ],
  },
  {
    name: 'check constraint',
    ask: (q) => ['BEGIN', `ALTER TABLE people ADD CHECK (id <> 1 OR ${nextCode(q)})`, 'ROLLBACK'],
  },
  {
    name: 'partial unique index',
    ask: (q) => [
      'BEGIN',
      `CREATE UNIQUE INDEX ON people ((1)) WHERE id = 2 OR id = 1 AND ${nextCode(q)}`,
      'ROLLBACK',
    ],
  },
  {
    name: 'view',
    ask: (q) => [
      'BEGIN',
      `CREATE VIEW asked AS SELECT id FROM people WHERE id = 1 AND ${condition(q)}`,
      'SELECT * FROM asked',
      'ROLLBACK',
    ],
  },
  {
    name: 'function',
    ask: (q) => [
      'BEGIN',
      `CREATE FUNCTION asked() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM people WHERE id = 1 AND ${condition(q)} $$`,
      'SELECT asked()',
      'ROLLBACK',
    ],
  },
  {
    name: 'DO',
    ask: (q) => [
      `DO $$ BEGIN IF EXISTS (SELECT FROM people WHERE id = 1 AND ${condition(q)}) THEN RAISE 'yes'; END IF; END $$`,
    ],
  },
  {
    name: 'PREPARE',
    ask: (q) => [
      `PREPARE asked AS SELECT 1 FROM people WHERE id = 1 AND ${condition(q)}`,
      'EXECUTE asked',
      'DEALLOCATE ALL',
    ],
  },
  {
    name: 'COPY',
    ask: one((q) => `COPY (SELECT 1 FROM people WHERE id = 1 AND ${condition(q)}) TO STDOUT`),
  },
  {
    name: 'view column',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people_view WHERE id = 1 AND x < ${quote(prefix + below)}`,
    ),
  },
  {
    name: 'materialized view',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people_mat WHERE id = 1 AND x < ${quote(prefix + below)}`,
    ),
  },
  {
    name: 'generated column',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people_generated WHERE id = 1 AND whisper < ${quote(prefix + below)}`,
    ),
  },
  {
    name: 'expression view by equality',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people_mat_expr WHERE id = 1 AND x < ${quote(prefix + below)}`,
    ),
  },
  {
    name: 'partition',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM parted_1 WHERE id = 1 AND ssn < ${quote(prefix + below)}`,
    ),
  },
  {
    name: 'whole row',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people p WHERE id = 1 AND p::text LIKE ${quote(`%,${prefix}${below}%`)}`,
    ),
  },
  {
    name: 'row comparison',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people WHERE (id, ssn) < (1, ${quote(prefix + below)}) AND id = 1`,
    ),
  },
  {
    name: 'range type',
    ask: one(
      (q) =>
        `SELECT id FROM people WHERE id = 1 AND int4range(0, ${q.below.charCodeAt(0)}) @> ascii(substr(ssn, ${q.prefix.length + 1}, 1))`,
    ),
  },
  {
    name: 'JSON path',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people WHERE id = 1 AND to_jsonb(ssn) @? ${quote(`$ ? (@ < "${prefix}${below}")`)}`,
    ),
  },
  {
    name: 'text search',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people WHERE id = 1 AND to_tsvector('simple', ssn) @@ to_tsquery('simple', ${quote(`${prefix}${below}:*`.replaceAll(/[^A-Za-z0-9:*]/g, ''))})`,
    ),
  },
  {
    name: 'notice',
    ask: one(
      ({ below }) =>
        `SELECT plainto_tsquery('english', translate(left(ssn, 1), ${quote(below)}, 'a')) FROM people WHERE id = 1`,
    ),
  },
  {
    name: 'similarity',
    ask: one(
      ({ prefix, below }) =>
        `SELECT id FROM people WHERE id = 1 AND similarity(ssn, ${quote(prefix + below)}) > 0.2`,
    ),
  },
]
