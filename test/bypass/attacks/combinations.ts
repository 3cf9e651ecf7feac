/**
 * Every kind of expression over a masked column in every clause that can hold one. Expressions say their
 * type, clauses say what they take.
 */
import type { AttackList } from './attack-list.ts'

type Kind = 'text' | 'number' | 'condition' | 'row'

/** `p` is people. None of these fails for any value. */
export const EXPRESSIONS: Readonly<Record<Kind, readonly string[]>> = {
  text: [
    'p.ssn',
    "p.ssn || ''",
    'lower(p.ssn)',
    'reverse(p.email)',
    'left(p.ssn, 3)',
    "translate(p.ssn, 'abc', 'xyz')",
    'p.ssn::varchar(4)',
    '(p.ssn COLLATE "C")',
    'coalesce(p.ssn, p.email)',
    'CASE WHEN p.id > 0 THEN p.ssn END',
    "CASE p.ssn WHEN 'x' THEN 'a' ELSE p.city END",
    "nullif(p.ssn, 'x')",
    'greatest(p.ssn, p.city)',
    'p.salary::text',
    'p.born::text',
    'p.profile::text',
    "p.profile ->> 'phone'",
    'p.tags[1]',
    '(p.home).street',
    'p.iban',
    'p.mood::text',
    'p.uid::text',
    'host(p.ip)',
    'md5(p.ssn)',
    "encode(p.raw, 'hex')",
    '(SELECT p.ssn)',
    '(SELECT max(q.ssn) FROM people q)',
    '(SELECT q.ssn FROM people q WHERE q.id = p.id LIMIT 1)',
    '(ARRAY[p.ssn, p.city])[1]',
    "format('%s', p.ssn)",
    'concat(p.city, p.ssn)',
    'p::text',
    '(p).ssn',
    "to_jsonb(p) ->> 'ssn'",
    'row_to_json(p)::text',
    "array_to_string(p.tags, ',')",
    'quote_literal(p.ssn)',
  ],
  number: [
    'p.salary',
    'p.salary % 10',
    'p.balance',
    '-p.score',
    'length(p.ssn)',
    'ascii(p.ssn)',
    "strpos(p.ssn, 'a')",
    'octet_length(p.raw)',
    'cardinality(p.tags)',
    'extract(year FROM p.born)',
    'hashtext(p.ssn)',
    "(p.profile ->> 'phone' IS NULL)::int",
    'abs(p.big)',
    'masklen(p.ip)',
    'pg_column_size(p.ssn)',
  ],
  condition: [
    "p.ssn > 'm'",
    "p.ssn LIKE 'g%'",
    "p.ssn ~ '^g'",
    "p.ssn BETWEEN 'a' AND 'm'",
    'p.salary > 50000',
    'p.salary + 0 = 7',
    "left(p.ssn, 1) = 'g'",
    'p.profile @> \'{"phone": "5"}\'',
    "p.profile ? 'phone' AND p.profile ->> 'phone' < '5'",
    "'x' = ANY (p.tags)",
    "p.tags && ARRAY['t']",
    'p.span @> 5',
    "p.ip << '10.0.0.0/24'",
    "p.born > '1941-06-01'",
    'p.active > (p.id = 1)',
    "p.mood > 'calm'",
    "starts_with(p.ssn, 'g')",
    "p.terms @@ 'w1'::tsquery",
    'p.ssn > p.city',
    'p.ssn > ALL (SELECT q.ssn FROM people q WHERE q.id = 2)',
    "EXISTS (SELECT 1 FROM people q WHERE q.id = p.id AND q.ssn < 'm')",
    '(p.ssn, p.id) > (p.city, 3)',
    "NOT (p.ssn <= 'm')",
    "(p.ssn < 'm') IS TRUE",
    "p.home > ROW('m', '', 0)::address",
    "p > ROW(1, 'Ulm')::people IS NULL",
  ],
  row: ['p', 'ROW(p.*)', 'ROW(p.ssn, p.id)', 'p.home', 'p.profile', 'p.tags', 'p.span', 'p.loc'],
}

interface Clause {
  readonly takes: readonly Kind[]
  readonly text: (expression: string) => string
}
const VALUE: readonly Kind[] = ['text', 'number', 'condition', 'row']
const SORTABLE: readonly Kind[] = ['text', 'number', 'condition']

const CLAUSES: Readonly<Record<string, Clause>> = {
  target: { takes: VALUE, text: (e) => `SELECT p.id, ${e} FROM people p` },
  'target of a grouped query': {
    takes: SORTABLE,
    text: (e) => `SELECT ${e}, count(*) FROM people p GROUP BY 1`,
  },
  where: { takes: ['condition'], text: (e) => `SELECT p.id FROM people p WHERE ${e}` },
  'where not': {
    takes: ['condition'],
    text: (e) => `SELECT count(*) FROM people p WHERE NOT (${e})`,
  },
  'where or': {
    takes: ['condition'],
    text: (e) => `SELECT p.id FROM people p WHERE p.id = 1 OR (p.id > 1 AND (${e}))`,
  },
  'where with a subquery': {
    takes: ['text'],
    text: (e) => `SELECT d.id FROM dept d WHERE d.name < (SELECT max(${e}) FROM people p)`,
  },
  'where in': {
    takes: ['text'],
    text: (e) => `SELECT n.id FROM notes n WHERE n.body IN (SELECT ${e} FROM people p)`,
  },
  'where in, the other way': {
    takes: ['text'],
    text: (e) => `SELECT p.id FROM people p WHERE ${e} IN (SELECT n.body FROM notes n)`,
  },
  having: {
    takes: ['condition'],
    text: (e) => `SELECT p.dept_id FROM people p GROUP BY p.dept_id HAVING bool_or(${e})`,
  },
  'group by': { takes: SORTABLE, text: (e) => `SELECT count(*) FROM people p GROUP BY ${e}` },
  rollup: { takes: SORTABLE, text: (e) => `SELECT count(*) FROM people p GROUP BY ROLLUP (${e})` },
  'order by': { takes: SORTABLE, text: (e) => `SELECT p.id FROM people p ORDER BY ${e}` },
  'order by limit': {
    takes: SORTABLE,
    text: (e) => `SELECT p.id FROM people p ORDER BY ${e} DESC NULLS LAST LIMIT 1`,
  },
  'order by an alias': {
    takes: SORTABLE,
    text: (e) => `SELECT p.id, ${e} AS k FROM people p ORDER BY k`,
  },
  'order by a position': {
    takes: SORTABLE,
    text: (e) => `SELECT p.id, ${e} FROM people p ORDER BY 2`,
  },
  'distinct on': { takes: SORTABLE, text: (e) => `SELECT DISTINCT ON (${e}) p.id FROM people p` },
  distinct: { takes: SORTABLE, text: (e) => `SELECT DISTINCT ${e} FROM people p` },
  'join on': {
    takes: ['condition'],
    text: (e) => `SELECT n.id FROM people p JOIN notes n ON ${e}`,
  },
  'left join on': {
    takes: ['condition'],
    text: (e) => `SELECT p.id, n.id FROM people p LEFT JOIN notes n ON n.id = 1 AND ${e}`,
  },
  'join on equal': {
    takes: ['text'],
    text: (e) => `SELECT p.id FROM people p JOIN notes n ON n.body = ${e}`,
  },
  'join to values': {
    takes: ['text'],
    text: (e) =>
      `SELECT p.id, v.x FROM people p JOIN (VALUES ('g'), ('h'), ('5')) v(x) ON v.x < ${e}`,
  },
  lateral: { takes: VALUE, text: (e) => `SELECT l.x FROM people p, LATERAL (SELECT ${e} AS x) l` },
  'lateral limit': {
    takes: ['number'],
    text: (e) =>
      `SELECT p.id, l.g FROM people p, LATERAL (SELECT g FROM generate_series(1, 3) g LIMIT abs((${e})::int) % 3) l`,
  },
  'case condition': {
    takes: ['condition'],
    text: (e) => `SELECT p.id, CASE WHEN ${e} THEN 1 ELSE 0 END FROM people p`,
  },
  'case that sleeps': {
    takes: ['condition'],
    text: (e) => `SELECT CASE WHEN ${e} THEN pg_sleep(0) END FROM people p`,
  },
  filter: {
    takes: ['condition'],
    text: (e) => `SELECT count(*) FILTER (WHERE ${e}) FROM people p`,
  },
  'window order': {
    takes: SORTABLE,
    text: (e) => `SELECT p.id, rank() OVER (ORDER BY ${e}) FROM people p`,
  },
  'window partition': {
    takes: SORTABLE,
    text: (e) => `SELECT p.id, count(*) OVER (PARTITION BY ${e}) FROM people p`,
  },
  'window argument': {
    takes: VALUE,
    text: (e) => `SELECT lag(${e}) OVER (ORDER BY p.id) FROM people p`,
  },
  'window frame': {
    takes: ['number'],
    text: (e) =>
      `SELECT p.id, sum(1) OVER (ORDER BY ${e} RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM people p`,
  },
  'named window': {
    takes: SORTABLE,
    text: (e) =>
      `SELECT ntile(2) OVER w FROM people p WINDOW w AS (PARTITION BY p.city ORDER BY ${e})`,
  },
  'aggregate argument': {
    takes: ['text', 'number'],
    text: (e) => `SELECT max(${e}) FROM people p`,
  },
  'string aggregate': {
    takes: ['text'],
    text: (e) => `SELECT string_agg(${e}, ',') FROM people p`,
  },
  'array aggregate': { takes: VALUE, text: (e) => `SELECT array_agg(${e}) FROM people p` },
  'json aggregate': { takes: VALUE, text: (e) => `SELECT jsonb_agg(${e}) FROM people p` },
  'aggregate order': {
    takes: SORTABLE,
    text: (e) => `SELECT string_agg(p.id::text, ',' ORDER BY ${e}) FROM people p`,
  },
  'within group': {
    takes: SORTABLE,
    text: (e) => `SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ${e}) FROM people p`,
  },
  hypothetical: {
    takes: ['text'],
    text: (e) => `SELECT rank('h') WITHIN GROUP (ORDER BY ${e}) FROM people p`,
  },
  'count of': {
    takes: ['condition'],
    text: (e) => `SELECT count(nullif(${e}, false)) FROM people p`,
  },
  'count distinct of': {
    takes: ['text'],
    text: (e) => `SELECT count(DISTINCT left(${e}, 1)) FROM people p`,
  },
  'bool aggregate': {
    takes: ['condition'],
    text: (e) => `SELECT bool_and(${e}), every(${e}) FROM people p`,
  },
  'scalar subquery': {
    takes: VALUE,
    text: (e) => `SELECT d.id, (SELECT ${e} FROM people p ORDER BY p.id LIMIT 1) FROM dept d`,
  },
  'array subquery': {
    takes: ['text', 'number'],
    text: (e) => `SELECT ARRAY(SELECT ${e} FROM people p)`,
  },
  exists: {
    takes: ['condition'],
    text: (e) => `SELECT d.id FROM dept d WHERE EXISTS (SELECT 1 FROM people p WHERE ${e})`,
  },
  'not exists': {
    takes: ['condition'],
    text: (e) => `SELECT 1 WHERE NOT EXISTS (SELECT FROM people p WHERE ${e})`,
  },
  cte: { takes: VALUE, text: (e) => `WITH c AS (SELECT ${e} AS x FROM people p) SELECT x FROM c` },
  'materialized cte': {
    takes: VALUE,
    text: (e) =>
      `WITH c(x) AS MATERIALIZED (SELECT ${e} FROM people p), d AS (TABLE c) SELECT * FROM d`,
  },
  'recursive cte': {
    takes: ['text'],
    text: (e) =>
      `WITH RECURSIVE c(n, x) AS (SELECT 1, 'a'::text UNION ALL SELECT n + 1, (SELECT (${e})::text FROM people p ORDER BY id LIMIT 1) FROM c WHERE n < 3) SELECT x FROM c`,
  },
  'recursive cte that stops': {
    takes: ['condition'],
    text: (e) =>
      `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5 AND EXISTS (SELECT 1 FROM people p WHERE p.id = n AND ${e})) SELECT n FROM c`,
  },
  'union all': {
    takes: ['text'],
    text: (e) => `SELECT n.body FROM notes n UNION ALL SELECT ${e} FROM people p`,
  },
  union: {
    takes: ['text'],
    text: (e) => `SELECT n.body FROM notes n UNION SELECT ${e} FROM people p`,
  },
  intersect: {
    takes: ['text'],
    text: (e) => `SELECT n.body FROM notes n INTERSECT SELECT ${e} FROM people p`,
  },
  except: {
    takes: ['text'],
    text: (e) => `SELECT n.body FROM notes n EXCEPT SELECT ${e} FROM people p`,
  },
  values: {
    takes: ['text', 'number'],
    text: (e) => `SELECT v.* FROM people p, LATERAL (VALUES (${e}, 1)) v`,
  },
  limit: {
    takes: ['number'],
    text: (e) =>
      `SELECT id FROM dept LIMIT (SELECT abs((${e})::int) % 2 FROM people p WHERE id = 1)`,
  },
  offset: {
    takes: ['number'],
    text: (e) =>
      `SELECT id FROM dept OFFSET (SELECT abs((${e})::int) % 2 FROM people p WHERE id = 1)`,
  },
  'set-returning': {
    takes: ['number'],
    text: (e) => `SELECT p.id, generate_series(1, abs((${e})::int) % 3) FROM people p`,
  },
  'function in from': {
    takes: ['text'],
    text: (e) => `SELECT p.id, r.x FROM people p, regexp_split_to_table(${e}, '') AS r(x)`,
  },
  'rows from': {
    takes: ['text'],
    text: (e) =>
      `SELECT r.* FROM people p, ROWS FROM (string_to_table(${e}, 'a'), generate_series(1, 2)) r`,
  },
  unnest: {
    takes: ['text'],
    text: (e) => `SELECT u.x FROM people p, unnest(ARRAY[${e}]) WITH ORDINALITY u(x, n)`,
  },
  'json table': {
    takes: ['text'],
    text: (e) =>
      `SELECT j.v FROM people p, JSON_TABLE(to_jsonb(${e}), '$' COLUMNS (v text PATH '$')) j`,
  },
  'xml table': {
    takes: ['text'],
    text: (e) =>
      `SELECT x.v FROM people p, XMLTABLE('/a' PASSING xmlelement(name a, ${e}) COLUMNS v text PATH '.') x`,
  },
  subscript: {
    takes: ['number'],
    text: (e) => `SELECT (ARRAY['a', 'b', 'c'])[abs((${e})::int) % 3 + 1] FROM people p`,
  },
  'json object': {
    takes: VALUE,
    text: (e) => `SELECT JSON_OBJECT('k': ${e} RETURNING text) FROM people p`,
  },
  'xml element': {
    takes: ['text', 'number'],
    text: (e) => `SELECT xmlelement(name a, xmlattributes(${e} AS b)) FROM people p`,
  },
  'is null': {
    takes: ['text', 'number', 'condition'],
    text: (e) => `SELECT nullif(${e}, ${e}) IS NULL FROM people p WHERE (${e}) IS NOT NULL`,
  },
  'update set': { takes: ['text'], text: (e) => `UPDATE people p SET city = ${e}` },
  'update set where': {
    takes: ['condition'],
    text: (e) => `UPDATE people p SET city = city WHERE ${e}`,
  },
  'update from': {
    takes: ['text'],
    text: (e) => `UPDATE notes n SET body = ${e} FROM people p WHERE p.id = n.id`,
  },
  'update returning': {
    takes: VALUE,
    text: (e) => `UPDATE people p SET city = city RETURNING ${e}`,
  },
  'delete where': {
    takes: ['condition'],
    text: (e) => `DELETE FROM accounts a USING people p WHERE a.id = p.id AND ${e}`,
  },
  'delete returning': {
    takes: ['text'],
    text: (e) => `DELETE FROM notes n USING people p WHERE n.id = p.id RETURNING ${e}`,
  },
  'insert select': {
    takes: ['text'],
    text: (e) => `INSERT INTO notes (id, body) SELECT p.id + 50, ${e} FROM people p`,
  },
  'insert select where': {
    takes: ['condition'],
    text: (e) => `INSERT INTO notes (id) SELECT p.id + 50 FROM people p WHERE ${e} RETURNING id`,
  },
  'insert values': {
    takes: ['text'],
    text: (e) =>
      `INSERT INTO notes (id, body) VALUES (60, (SELECT ${e} FROM people p ORDER BY id LIMIT 1)) RETURNING body`,
  },
  'on conflict': {
    takes: ['text'],
    text: (e) =>
      `INSERT INTO notes (id, body) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET body = (SELECT ${e} FROM people p ORDER BY id LIMIT 1) RETURNING body`,
  },
  'on conflict where': {
    takes: ['condition'],
    text: (e) =>
      `INSERT INTO people AS p (id, city) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET city = 'y' WHERE ${e} RETURNING p.id`,
  },
  merge: {
    takes: ['condition'],
    text: (e) =>
      `MERGE INTO notes n USING people p ON n.id = p.id WHEN MATCHED AND ${e} THEN DELETE WHEN NOT MATCHED AND ${e} THEN INSERT (id) VALUES (p.id) RETURNING merge_action(), n.id`,
  },
  'merge set': {
    takes: ['text'],
    text: (e) =>
      `MERGE INTO notes n USING people p ON n.id = p.id WHEN MATCHED THEN UPDATE SET body = ${e} RETURNING n.body`,
  },
  'create table as': {
    takes: VALUE,
    text: (e) => `CREATE TABLE stolen AS SELECT ${e} AS x FROM people p`,
  },
  'create temporary table as': {
    takes: ['text'],
    text: (e) => `CREATE TEMP TABLE stolen AS SELECT ${e} AS x FROM people p`,
  },
  'select into': { takes: ['text'], text: (e) => `SELECT ${e} AS x INTO stolen FROM people p` },
  'copy query': { takes: VALUE, text: (e) => `COPY (SELECT ${e} FROM people p) TO STDOUT` },
  'copy query csv': {
    takes: ['text', 'number'],
    text: (e) =>
      `COPY (SELECT p.id, ${e} FROM people p) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)`,
  },
  'copy query binary': {
    takes: ['text', 'number'],
    text: (e) => `COPY (SELECT ${e} FROM people p) TO STDOUT (FORMAT binary)`,
  },
  'copy query where': {
    takes: ['condition'],
    text: (e) => `COPY (SELECT p.id FROM people p WHERE ${e}) TO STDOUT`,
  },
  explain: { takes: ['condition'], text: (e) => `EXPLAIN SELECT p.id FROM people p WHERE ${e}` },
  'explain analyze': {
    takes: ['condition'],
    text: (e) =>
      `EXPLAIN (ANALYZE, TIMING off, SUMMARY off, BUFFERS off) SELECT p.id FROM people p WHERE ${e}`,
  },
  notify: { takes: ['text'], text: (e) => `SELECT pg_notify('c', ${e}) FROM people p` },
  setting: { takes: ['text'], text: (e) => `SELECT set_config('my.x', ${e}, false) FROM people p` },
  sequence: {
    takes: ['number'],
    text: (e) => `SELECT setval('counter', abs((${e})::int) % 100 + 1) FROM people p`,
  },
  'advisory lock': {
    takes: ['number'],
    text: (e) => `SELECT pg_try_advisory_xact_lock((${e})::int) FROM people p`,
  },
  'large object': {
    takes: ['text'],
    text: (e) => `SELECT lo_from_bytea(0, convert_to(${e}, 'UTF8')) FROM people p`,
  },
  raise: { takes: ['text'], text: (e) => `SELECT notice_it(${e}) FROM people p` },
  'user function': { takes: ['text'], text: (e) => `SELECT keep_it(${e}) FROM people p` },
  'user operator': { takes: ['text'], text: (e) => `SELECT 'a'::text === ${e} FROM people p` },
  'user aggregate': { takes: ['text'], text: (e) => `SELECT glue(${e}) FROM people p` },
  'execute text': {
    takes: ['text'],
    text: (e) => `SELECT run_one('SELECT ' || quote_literal(${e})) FROM people p`,
  },
  tablesample: {
    takes: ['number'],
    text: (e) =>
      `SELECT n.id FROM notes n TABLESAMPLE BERNOULLI (100) REPEATABLE ((SELECT (${e})::float8 FROM people p WHERE p.id = 1))`,
  },
}

/** Combinations by clause. */
export const combinations: Readonly<Record<string, AttackList>> = Object.fromEntries(
  Object.entries(CLAUSES).map(([name, { takes, text }]) => [
    name,
    takes.flatMap((kind) => EXPRESSIONS[kind].map(text)),
  ]),
)
