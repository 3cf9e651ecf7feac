/**
 * Attacks made from the server's own catalog, so that none of its functions, operators, types and system
 * relations is forgotten, whatever its version: each function and operator over a masked column in each place
 * that takes one, each cast of one, each system relation read whole.
 */

/** Runs a query as the superuser. */
export type Ask = (text: string) => Promise<Record<string, unknown>[]>

/** The masked column to put where an argument of a type is taken. */
const COLUMN_OF: Readonly<Record<string, string>> = {
  text: 'p.ssn',
  varchar: 'p.phone',
  bpchar: 'p.ssn::bpchar',
  name: 'p.ssn::name',
  cstring: 'p.ssn::cstring',
  unknown: 'p.ssn',
  int2: 'p.salary::int2',
  int4: 'p.salary',
  int8: 'p.big',
  oid: 'p.salary::oid',
  numeric: 'p.balance',
  float4: 'p.score::float4',
  float8: 'p.score',
  money: 'p.pay',
  date: 'p.born',
  timestamp: 'p.seen::timestamp',
  timestamptz: 'p.seen',
  time: 'p.seen::time',
  interval: 'p.dur',
  uuid: 'p.uid',
  bytea: 'p.raw',
  json: 'p.doc',
  jsonb: 'p.profile',
  jsonpath: 'p.ssn::jsonpath',
  bool: 'p.active',
  bit: 'p.flags::bit(8)',
  varbit: 'p.flags',
  inet: 'p.ip',
  cidr: 'p.ip::cidr',
  macaddr: 'p.mac',
  point: 'p.loc',
  xml: 'p.page',
  tsvector: 'p.terms',
  tsquery: 'p.ssn::tsquery',
  int4range: 'p.span',
  regclass: 'p.ssn::regclass',
  record: 'p',
  any: 'p.ssn',
  anyelement: 'p.ssn',
  anycompatible: 'p.ssn',
  anynonarray: 'p.ssn',
  anycompatiblenonarray: 'p.ssn',
  anyarray: 'p.tags',
  anycompatiblearray: 'p.tags',
  anyenum: 'p.mood',
  anyrange: 'p.span',
  anycompatiblerange: 'p.span',
  anymultirange: 'int4multirange(p.span)',
  _text: 'p.tags',
  _int4: 'p.nums',
  _any: 'p.tags',
}

/** A constant for the other arguments. */
const CONSTANT_OF: Readonly<Record<string, string>> = {
  text: "'a'",
  varchar: "'a'::varchar",
  bpchar: "'a'::bpchar",
  name: "'a'::name",
  int2: '1::int2',
  int4: '1',
  int8: '1::int8',
  oid: '1::oid',
  numeric: '1.5',
  float4: '1.5::float4',
  float8: '1.5::float8',
  money: "'1'::money",
  date: "date '2001-02-03'",
  timestamp: "timestamp '2001-02-03'",
  timestamptz: "timestamptz '2001-02-03+00'",
  time: "time '01:02'",
  interval: "interval '1 day'",
  uuid: "'00000000-0000-4000-8000-000000000001'::uuid",
  bytea: "'\\x61'::bytea",
  json: "'{}'::json",
  jsonb: "'{}'::jsonb",
  jsonpath: "'$.*'::jsonpath",
  bool: 'true',
  bit: "B'1'",
  varbit: "B'1'::varbit",
  inet: "'10.0.0.1'::inet",
  cidr: "'10.0.0.0/8'::cidr",
  point: "'(1,1)'::point",
  xml: "'<a/>'::xml",
  tsvector: "'a'::tsvector",
  tsquery: "'a'::tsquery",
  int4range: "'[1,2)'::int4range",
  regclass: "'dept'::regclass",
  record: "ROW(1, 'a')",
  any: "'a'::text",
  anyelement: "'a'::text",
  anycompatible: "'a'::text",
  anyarray: "ARRAY['a']",
  anycompatiblearray: "ARRAY['a']",
  _text: "ARRAY['a']",
  _int4: 'ARRAY[1]',
  anyrange: "'[1,2)'::int4range",
}

interface FunctionRow {
  readonly name: string
  readonly kind: string
  readonly types: readonly string[]
  readonly variadic: boolean
}

/**
 * Functions that end, stop or change the server whoever calls them; nothing else of them can be learnt here.
 * Encodings' conversion functions take pointers.
 */
const LEFT_OUT =
  /^(pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_rotate_logfile|pg_promote|pg_switch_wal|pg_sleep.*|pg_stat_reset.*|pg_replication_.*|pg_drop_replication_slot|pg_wal_replay_.*|pg_backup_.*|.*_to_(utf8|mic|euc.*|big5|win\d*|koi8.*|iso8859.*|latin\d*|sjis|ascii|gbk|uhc|johab|gb18030|shift.*)|pg_create_.*slot|pg_restore_.*|pg_clear_.*_stats)$/

const quoted = (name: string): string => `pg_catalog."${name}"`

/** One call for each argument that can be a masked column. */
function callsOf({ name, kind, types, variadic }: FunctionRow): string[] {
  return types.flatMap((type, at) => {
    const column = COLUMN_OF[type]
    if (column === undefined) return []
    const args = types.map((other, index) =>
      index === at ? column : (CONSTANT_OF[other] ?? `NULL::"${other}"`),
    )
    const list = args.map((arg, index) =>
      variadic && index === args.length - 1 && types[index]?.startsWith('_')
        ? `VARIADIC ${arg}`
        : arg,
    )
    const call = `${quoted(name)}(${list.join(', ')})`
    switch (kind) {
      case 'w':
        return [`SELECT p.id, ${call} OVER (ORDER BY p.id) FROM people p`]
      case 'o':
        return [
          `SELECT ${quoted(name)}(${args.slice(0, -1).join(', ')}) WITHIN GROUP (ORDER BY ${column}) FROM people p`,
        ]
      case 'a':
        return [
          `SELECT ${call} FROM people p`,
          `SELECT p.id, ${call} OVER (ORDER BY p.id) FROM people p`,
          `SELECT p.city FROM people p GROUP BY p.city HAVING ${call} IS NULL`,
        ]
      default:
        return [
          `SELECT p.id, ${call} FROM people p`,
          `SELECT r.* FROM people p, LATERAL ${call} AS r`,
          `SELECT p.id FROM people p WHERE ${call} IS NOT NULL`,
        ]
    }
  })
}

export async function functionAttacks(ask: Ask): Promise<string[]> {
  const rows = (await ask(`
    SELECT p.proname AS name, CASE WHEN a.aggkind <> 'n' THEN 'o' ELSE p.prokind::text END AS kind,
      array(SELECT t.typname::text FROM unnest(p.proargtypes) WITH ORDINALITY AS u(o, n) JOIN pg_type t ON t.oid = u.o ORDER BY n) AS types,
      p.provariadic <> 0 AS variadic
    FROM pg_proc p LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.pronargs > 0 ORDER BY p.oid`)) as unknown as FunctionRow[]
  return rows.filter(({ name }) => !LEFT_OUT.test(name)).flatMap(callsOf)
}

export async function operatorAttacks(ask: Ask): Promise<string[]> {
  const rows = (await ask(`
    SELECT o.oprname AS name, l.typname::text AS "left", r.typname::text AS "right"
    FROM pg_operator o LEFT JOIN pg_type l ON l.oid = o.oprleft JOIN pg_type r ON r.oid = o.oprright
    WHERE o.oprnamespace = 'pg_catalog'::regnamespace ORDER BY o.oid`)) as unknown as {
    name: string
    left: string | null
    right: string
  }[]
  const side = (type: string): string => CONSTANT_OF[type] ?? `NULL::"${type}"`
  return rows.flatMap(({ name, left, right }) => {
    const operator = `OPERATOR(pg_catalog.${name})`
    const [l, r] = [left === null ? undefined : COLUMN_OF[left], COLUMN_OF[right]]
    const forms = [
      ...(left !== null && l !== undefined ? [`(${l}) ${operator} ${side(right)}`] : []),
      ...(r !== undefined ? [`${left === null ? '' : side(left)} ${operator} (${r})`] : []),
      ...(l !== undefined && r !== undefined
        ? [`(${l}) ${operator} (${r.replaceAll('p.', 'q.')})`]
        : []),
    ]
    // Whether two values are equal may be asked.
    const isEquality = name === '=' || name === '<>'
    return forms.flatMap((form) => [
      `SELECT p.id, ${form} FROM people p JOIN people q ON q.id = p.id + 1`,
      ...(isEquality
        ? []
        : [`SELECT p.id FROM people p JOIN people q ON q.id = p.id + 1 WHERE (${form}) IS NULL`]),
    ])
  })
}

export async function castAttacks(ask: Ask, columns: readonly string[]): Promise<string[]> {
  const types = await ask(`
    SELECT t.oid::regtype::text AS name FROM pg_type t
    WHERE t.typnamespace IN ('pg_catalog'::regnamespace, 'public'::regnamespace) AND t.typtype IN ('b', 'd', 'e', 'r', 'm')
      AND t.typname !~ '^_' ORDER BY t.oid`)
  return types.flatMap(({ name }) =>
    columns.flatMap((column) => [
      `SELECT p.${column}::${name} FROM people p`,
      `SELECT p.${column}::text::${name} FROM people p`,
    ]),
  )
}

export async function relationAttacks(ask: Ask): Promise<string[]> {
  const relations = await ask(`
    SELECT oid::regclass::text AS name FROM pg_class
    WHERE relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) AND relkind IN ('r', 'v')
    ORDER BY oid`)
  return relations.flatMap(({ name }) => [
    `SELECT * FROM ${name}`,
    `SELECT x::text FROM ${name} x`,
    `COPY (SELECT * FROM ${name}) TO STDOUT`,
  ])
}
