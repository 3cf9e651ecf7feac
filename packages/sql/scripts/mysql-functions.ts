/**
 * Writes `src/mysql/builtin-functions.ts`: what every native function of MySQL and MariaDB may do.
 *
 * Candidates are the words of the servers' own help tables, keywords and (MariaDB) SQL_FUNCTIONS, and the
 * lists below. Whether a word is a native function is the server's answer to a call without arguments:
 * 1305 and 1630 say that there is none. Functions with a grammar of their own are listed by hand. The
 * curated lists say what a call may do; a native function of the server's own views is left out and
 * therefore opaque. Not part of the package at run time.
 *
 *   MYSQL_URL=mysql://root@127.0.0.1:3306/test MARIADB_URL=mysql://... node scripts/mysql-functions.ts
 */
import { writeFileSync } from 'node:fs'
import mysql from 'mysql2/promise'

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

/** Aggregates; MySQL's and MariaDB's own after the common ones. */
const AGGREGATES =
  words(`any_value avg bit_and bit_or bit_xor count group_concat json_arrayagg json_objectagg max
  min st_collect std stddev stddev_pop stddev_samp sum var_pop var_samp variance median percentile_cont
  percentile_disc`)
const WINDOWS = words(
  'cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number',
)

/** Functions whose calls the grammar reads by itself: a call without arguments is a syntax error. */
const SYNTAX = {
  both: words(`adddate ascii avg bit_and bit_or bit_xor char coalesce collation count cume_dist date date_add
    date_sub day dense_rank extract first_value format get_format group_concat hour if insert interval
    json_arrayagg json_objectagg json_value lag last_value lead left linestring max md5 microsecond mid min minute mod month
    multilinestring multipoint multipolygon nth_value ntile percent_rank password point polygon position
    quarter rank repeat replace reverse right row_number second sha sha1 std stddev stddev_pop stddev_samp subdate
    substr substring sum time timestamp timestampadd timestampdiff trim truncate var_pop var_samp variance
    charset log week weight_string year geometrycollection`),
  mysql: words('any_value distance grouping st_collect geomcollection vector_distance'),
  mariadb:
    words(`column_add column_create column_delete column_get median percentile_cont percentile_disc
    st_collect trim_oracle value vec_distance vec_distance_cosine vec_distance_euclidean vec_fromtext vec_totext
    json_schema_valid json_array_intersect json_object_filter_keys json_object_to_array json_key_value
    uuid_v4 uuid_v7 format_bytes format_pico_time to_number trunc months_between to_date`),
} as const

/** Native, and in no table of the servers; one that a server does not have is left out for it. */
const UNLISTED = words(
  'etag from_vector st_geomcollfromtxt st_multilinestringfromwkb st_numinteriorring to_vector x y',
)

/** Left out: callable by the server's own views only, or without meaning to a client. */
const INTERNAL =
  /^(internal_|can_access_|get_dd_|get_jdv_|remove_dd_|is_visible_dd_|convert_(cpu|interval)|version_with_|innodb_|asynchronous_|current_(role|user)_in$|.*_oracle$)/

/** Opaque functions and the effect a call has. First match wins. */
const OPAQUE: readonly (readonly [effect: string, names: RegExp])[] = [
  // Files of the server.
  ['admin', /^(load_file|binlog_gtid_pos)$/],
  ['lock', /^(get_lock|release_lock|release_all_locks|is_free_lock|is_used_lock)$/],
  // Time is a channel: a condition around it turns waiting into an answer.
  ['procedural', /^(sleep|benchmark|.*_pos_wait|.*_gtid_wait|wait_.*|wsrep_sync_.*)$/],
]

/** Depend on the session, the clock, the server's state or its accounts, never on stored rows. */
const SESSION =
  /^(connection_id|cur(date|time)|current_.*|database|des_(en|de)crypt|found_rows|icu_version|last_insert_id|local(time|timestamp)|now|ps_.*|rand|random_bytes|roles_graphml|row_count|rownum|schema|(session|system)_user|sys_?date|sys_guid|unix_timestamp|user|utc_.*|uuid|uuid_short|uuid_v.|version|wsrep_last_.*)$/

/** Raise an error for some values of their arguments and not for others. */
const FAILING =
  /^(json_(?!valid$|array$|arrayagg$|object$|objectagg$|quote$).*|extractvalue|updatexml|exp|pow|power|cot|degrees|uuid_to_bin|bin_to_uuid|period_(add|diff)|gtid_.*|regexp_.*|random_bytes|statement_digest.*|validate_password_strength|column_.*|to_vector|from_vector|string_to_vector|vector_.*|vec_.*|distance|st_.*|mbr.*|.*from(text|wkb)|geom.*|area|as(binary|text|wkb|wkt)|boundary|buffer|centroid|contains|convexhull|crosses|dimension|disjoint|endpoint|envelope|equals|exteriorring|glength|interiorringn|intersects|is(closed|empty|ring|simple)|num(geometries|interiorrings|points)|overlaps|point.*|multi.*|linestring|polygon|srid|startpoint|touches|within|x|y|bit_(and|or|xor)|strcmp_oracle|to_(char|date|number))$/

type Flavour = 'mysql' | 'mariadb'

function purityOf(name: string): string {
  const opaque = OPAQUE.find(([, names]) => names.test(name))
  if (opaque !== undefined) return `opaque:${opaque[0]}`
  return SESSION.test(name) ? 'session' : 'pure'
}

async function candidates(connection: mysql.Connection, flavour: Flavour): Promise<Set<string>> {
  const found = new Set<string>()
  const queries = [
    'SELECT name AS n FROM mysql.help_topic',
    'SELECT word AS n FROM information_schema.keywords',
  ]
  if (flavour === 'mariadb')
    queries.push('SELECT `function` AS n FROM information_schema.sql_functions')
  for (const query of queries) {
    const [rows] = await connection.query<(mysql.RowDataPacket & { n: string })[]>(query)
    for (const { n } of rows) {
      for (const word of n.replaceAll('\\', '').toLowerCase().split(/\W+/)) {
        if (/^[a-z]\w+$/.test(word)) found.add(word)
      }
    }
  }
  return found
}

/** ER_SP_DOES_NOT_EXIST, ER_FUNC_INEXISTENT_NAME_COLLISION, ER_CANT_FIND_UDF, ER_PARSE_ERROR, no database. */
const NO_FUNCTION = new Set([1305, 1630, 1128, 1064, 1046])

async function isNative(connection: mysql.Connection, name: string): Promise<boolean> {
  try {
    await connection.query(`SELECT ${name}()`)
    return true
  } catch (error) {
    return !NO_FUNCTION.has((error as { errno: number }).errno)
  }
}

function wrap(list: readonly string[]): string {
  const lines: string[] = []
  let line = ''
  for (const word of list) {
    if (line.length + word.length > 100) {
      lines.push(line)
      line = ''
    }
    line += (line === '' ? '' : ' ') + word
  }
  return [...lines, line].join('\n')
}

const block = (name: string, doc: string, list: readonly string[]) =>
  `/** ${doc} */\nexport const ${name} = \`\n${wrap(list)}\n\`\n`

const connections = {
  mysql: await mysql.createConnection(process.env['MYSQL_URL'] ?? ''),
  mariadb: await mysql.createConnection(process.env['MARIADB_URL'] ?? ''),
}
const all = new Set<string>(UNLISTED)
for (const flavour of ['mysql', 'mariadb'] as const) {
  for (const name of await candidates(connections[flavour], flavour)) all.add(name)
}
const versions: string[] = []
const native: Record<Flavour, string[]> = { mysql: [], mariadb: [] }
for (const flavour of ['mysql', 'mariadb'] as const) {
  const connection = connections[flavour]
  const [rows] =
    await connection.query<(mysql.RowDataPacket & { v: string })[]>('SELECT version() AS v')
  versions.push(rows[0]?.v ?? '')
  const names = new Set<string>([...SYNTAX.both, ...SYNTAX[flavour]])
  for (const name of all) {
    if (!INTERNAL.test(name) && (await isNative(connection, name))) names.add(name)
  }
  native[flavour] = [...names].sort()
  await connection.end()
}

function section(flavour: Flavour): string {
  const groups = new Map<string, string[]>()
  for (const name of native[flavour]) {
    const list = groups.get(purityOf(name)) ?? []
    groups.set(purityOf(name), [...list, name])
  }
  const rows = [...groups].sort().map(([purity, list]) => `    '${purity}': \`\n${wrap(list)}\n\`,`)
  return `  ${flavour}: {\n${rows.join('\n')}\n  },`
}

const failing = [...new Set([...native.mysql, ...native.mariadb])]
  .filter((n) => FAILING.test(n))
  .sort()
writeFileSync(
  new URL('../src/mysql/builtin-functions.ts', import.meta.url),
  [
    `/**\n * Generated by scripts/mysql-functions.ts from ${versions.join(' and ')}: do not edit.\n *`,
    ' * Native functions by what a call may do. Names are separated by white space.\n */\n',
    '/** `pure`, `session`, `opaque:<effect>`; a function not listed is opaque. */',
    "export const PURITY: Readonly<Record<'mysql' | 'mariadb', Readonly<Record<string, string>>>> = {",
    section('mysql'),
    section('mariadb'),
    '}\n',
    block('AGGREGATES', 'Aggregates.', AGGREGATES),
    block('WINDOWS', 'Window functions.', WINDOWS),
    block(
      'FAILING',
      'Raise an error for some values of their arguments and not for others.',
      failing,
    ),
  ].join('\n'),
)
