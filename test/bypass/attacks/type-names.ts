/**
 * Types that take the place of others, or have changed: a row with more columns, or fewer, than the one that was read moves
 * what is behind it, and a domain in place of the server's own type checks what is cast to it.
 */
import type { AttackList } from './attack-list.ts'

/** Rows as narrow as one and as wide as four columns, in place of those of `accounts` and `dept`. */
const ROWS = [
  'CREATE TEMP TABLE accounts (a int)',
  'CREATE TEMP TABLE dept (a int, b int, c int, d int)',
]
const FOO = 'CREATE TEMP TABLE foo (a int, b int)'
const over = (type: string, check: string): string =>
  `CREATE DOMAIN pg_temp.${type} AS pg_catalog.${type} CHECK (${check})`

export const attacks: AttackList = [
  [...ROWS, 'SELECT (NULL::accounts).*, upper(ssn), (NULL::dept).* FROM people'],
  [...ROWS, 'SELECT (ROW(1)::accounts).*, upper(ssn), (ROW(1, 2, 3, 4)::dept).* FROM people'],
  [
    ...ROWS,
    'SELECT x.*, upper(p.ssn), y.* FROM people p, unnest(ARRAY[NULL::accounts]) x, unnest(ARRAY[NULL::dept]) y',
  ],
  [
    ...ROWS,
    "SELECT x.*, upper(p.ssn), y.* FROM people p, jsonb_populate_record(NULL::accounts, '{}') x, jsonb_populate_record(NULL::dept, '{}') y",
  ],
  [
    ...ROWS,
    "SELECT (jsonb_populate_record(NULL::accounts, '{}')).*, upper(ssn), (jsonb_populate_record(NULL::dept, '{}')).* FROM people",
  ],
  [
    ...ROWS,
    'SELECT s.b FROM (SELECT (NULL::accounts).*, upper(ssn), (NULL::dept).* FROM people) s (a, b, c, d, e, f)',
  ],
  [...ROWS, 'COPY (SELECT (NULL::accounts).*, upper(ssn), (NULL::dept).* FROM people) TO STDOUT'],
  [
    'BEGIN',
    ...ROWS,
    'SELECT (NULL::accounts).*, upper(ssn), (NULL::dept).* FROM people',
    'ROLLBACK',
  ],
  [
    FOO,
    'SELECT s.c FROM (SELECT u.*, upper(p.ssn), 1 FROM people p, unnest(ARRAY[NULL::foo]) u) s (a, b, c, d)',
  ],
  [
    'CREATE TEMP TABLE text (a int, b int)',
    'SELECT s.c FROM (SELECT u.*, upper(p.ssn), 1 FROM people p, unnest(ARRAY[NULL::text]) u) s (a, b, c, d)',
  ],
  [
    FOO,
    'ALTER TABLE foo RENAME TO text',
    'SELECT s.c FROM (SELECT u.*, upper(p.ssn), 1 FROM people p, unnest(ARRAY[NULL::text]) u) s (a, b, c, d)',
  ],
  [over('text', "value < 'k'"), 'SELECT ssn::text FROM people'],
  [over('text', "value < 'k'"), "SELECT id FROM people WHERE ssn::text = 'q'"],
  [over('int4', 'value > 5000'), 'SELECT salary::int4 FROM people'],
  [over('bool', 'value'), "SELECT (ssn = 'q')::bool FROM people"],
  ['BEGIN', over('varchar', "value < 'k'"), 'SELECT phone::"varchar" FROM people', 'ROLLBACK'],
  [
    over('other', "value < 'k'"),
    'ALTER DOMAIN pg_temp.other RENAME TO text',
    'SELECT ssn::text FROM people',
  ],
  [
    'SET search_path = pg_temp, public',
    "CREATE DOMAIN text AS pg_catalog.text CHECK (value < 'k')",
    'SELECT ssn::text FROM people',
  ],
  {
    steps: [
      "CREATE DOMAIN open.text AS pg_catalog.text CHECK (value < 'k')",
      'SET search_path = open, pg_catalog, public',
      'SELECT ssn::text FROM public.people',
    ],
    undo: 'DROP DOMAIN IF EXISTS open.text',
  },
  {
    steps: [
      `CREATE COLLATION public.coarse (provider = icu, locale = 'und', deterministic = false, rules = '& [last tertiary ignorable] = h = i = j = k')`,
      "SELECT id FROM people WHERE ssn = 'q' COLLATE public.coarse",
    ],
    why: 'which values are equal is what the collation says',
    undo: 'DROP COLLATION IF EXISTS public.coarse',
  },

  // Changes of the open transaction that its text does not tell: there are more columns than were read.
  [
    'BEGIN',
    'ALTER TABLE dept ADD COLUMN c int GENERATED ALWAYS AS (id) STORED',
    'SELECT s.d FROM (SELECT d.*, upper(ssn), 1 FROM people, public.dept d) s (a, b, c, d, e)',
    'ROLLBACK',
  ],
  [
    'BEGIN',
    'ALTER TABLE dept ADD COLUMN c int GENERATED ALWAYS AS (id) STORED',
    'SELECT s.d FROM (SELECT (NULL::public.dept).*, upper(ssn), 1 FROM people) s (a, b, c, d, e)',
    'ROLLBACK',
  ],
  [
    'BEGIN',
    'CREATE TABLE above ()',
    'ALTER TABLE dept INHERIT above',
    'ALTER TABLE above ADD COLUMN c int',
    'SELECT s.d FROM (SELECT d.*, upper(ssn), 1 FROM people, public.dept d) s (a, b, c, d, e)',
    'ROLLBACK',
  ],
  [
    'BEGIN',
    'ALTER TABLE parted ADD COLUMN c text',
    'SELECT s.d FROM (SELECT p.*, upper(people.ssn), 1 FROM people, parted_1 p) s (a, b, c, d, e)',
    'ROLLBACK',
  ],
  [
    'BEGIN',
    'SAVEPOINT s',
    'ALTER TABLE dept ADD COLUMN c int',
    'ROLLBACK TO s',
    'SELECT s.c FROM (SELECT d.*, upper(ssn), 1 FROM people, public.dept d) s (a, b, c, d)',
    'ROLLBACK',
  ],
  [
    'BEGIN; ALTER TABLE dept ADD COLUMN c int GENERATED ALWAYS AS (id) STORED; SELECT s.d FROM (SELECT d.*, upper(ssn), 1 FROM people, public.dept d) s (a, b, c, d, e); ROLLBACK',
  ],
  [
    'BEGIN; SAVEPOINT s; ALTER TABLE dept ADD COLUMN c int; ROLLBACK TO s; SELECT s.c FROM (SELECT d.*, upper(ssn), 1 FROM people, public.dept d) s (a, b, c, d); ROLLBACK',
  ],
]
