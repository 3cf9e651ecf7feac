/**
 * Writes `src/postgres/builtin-functions.ts`: what every function that comes with PostgreSQL may do.
 *
 * Reads `pg_proc` of a running PostgreSQL 18 and applies the curated lists below. A function is `pure`
 * when it is immutable, or stable and not listed as reading the session; whatever is volatile and
 * listed nowhere stays opaque with the effect `procedural`. Not part of the package at run time.
 *
 *   PGHOST=127.0.0.1 PGPORT=5432 PGUSER=postgres PGPASSWORD=... node scripts/builtin-functions.ts
 */
import { writeFileSync } from 'node:fs'
import pg from 'pg'

/** Opaque functions and the effects a call has, by name or by pattern. First match wins. */
const OPAQUE: readonly (readonly [effects: string, names: RegExp])[] = [
  [
    'write',
    /^(nextval|setval|lo_(creat|create|from_bytea|open|put|truncate|truncate64|unlink)|lowrite)$/,
  ],
  ['write', /^pg_logical_emit_message$/],
  ['lock', /advisory/],
  ['notify', /^pg_notify$/],
  [
    'session',
    /^(set_config|setseed|pg_stat_clear_snapshot|pg_stat_force_next_flush|pg_export_snapshot)$/,
  ],
  ['admin', /^(lo_import|lo_export|pg_read_.*file|pg_ls_.*|pg_stat_file|pg_current_logfile)$/],
  ['admin', /^(pg_hba_file_rules|pg_ident_file_mappings|pg_show_all_file_settings)$/],
  [
    'admin',
    /^(pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_rotate_logfile|pg_promote)$/,
  ],
  ['admin', /^(binary_upgrade_.*|brin_(de)?summarize.*|gin_clean_pending_list|pg_backup_.*)$/],
  ['admin', /^pg_(clear|restore)_(attribute|relation)_stats$|^pg_stat_reset/],
  [
    'admin',
    /^pg_(copy|create|drop|sync|get)_?.*replication_slots?$|^pg_replication_|^pg_logical_slot_/,
  ],
  ['admin', /^pg_(create_restore_point|switch_wal|wal_replay_pause|wal_replay_resume)$/],
  [
    'admin',
    /^pg_(import_system_collations|log_backend_memory_contexts|log_standby_snapshot|nextoid)$/,
  ],
  ['admin', /^pg_(stop_making_pinned_objects|extension_config_dump)$|_validator$|_call_handler$/],
  // Run SQL text, or read relations named by a value.
  ['procedural', /^(query|cursor|table|schema|database)_to_xml/],
  ['procedural', /^ts_stat$|^currtid2$|^pg_event_trigger_/],
  // Time is a channel: a condition around it turns waiting into an answer.
  ['procedural', /^pg_sleep/],
  // Read what other statements or sessions left behind.
  [
    'read',
    /^(currval|lastval|pg_sequence_last_value|pg_get_sequence_data|lo_get|loread|lo_lseek.*)$/,
  ],
  ['read', /^(lo_tell.*|lo_close|pg_stat_get_.*|pg_stat_have_stats|pg_get_aios)$/],
]

/** Depend on the session, the clock, the server's state or its schema, never on stored rows. */
const SESSION =
  /^(now|age|current_.*|session_user|system_user|getpgusername|getdatabaseencoding|version|inet_(client|server)_.*|clock_timestamp|timeofday|(transaction|statement)_timestamp|random|random_normal|gen_random_uuid|uuidv4|uuidv7|txid_.*|mxid_age|has_.*_privilege|row_security_active|to_reg.*|(col|obj|shobj)_description|get_current_ts_config|amvalidate|pg_.*)$/
/** `pg_` functions that depend on their arguments only. */
const PURE_PG =
  /^pg_(lsn.*|size_.*|typeof|column_size|column_compression|collation_for|input_.*|options_to_table|snapshot_.*|visible_in_snapshot|wal_lsn_diff|encoding_max_length|mcv_list_.*|ndistinct_.*|dependencies_.*|node_tree_.*|client_encoding|char_to_encoding|encoding_to_char|basetype)$/
const PURE_VOLATILE = /^(array_sample|array_shuffle)$/

interface Row {
  name: string
  volatility: 'i' | 's' | 'v'
  kind: 'f' | 'a' | 'w' | 'p'
  set: boolean
  returns: string
  outs: string[] | null
}

const QUERY = `
select p.proname as name, p.provolatile as volatility, p.prokind as kind, p.proretset as set,
       t.typname as returns,
       (select array_agg(n order by o) from unnest(p.proargnames, p.proargmodes::text[]) with ordinality u(n, m, o)
         where m in ('o', 'b', 't')) as outs
  from pg_proc p join pg_type t on t.oid = p.prorettype
 where p.pronamespace = 'pg_catalog'::regnamespace and p.oid < 16384
   and not p.proargtypes::oid[] && array['internal'::regtype::oid]
   and p.prorettype not in ('internal'::regtype, 'trigger'::regtype, 'event_trigger'::regtype)
 order by p.proname, p.oid`

function purityOf(row: Row): string {
  if (row.name === 'ts_rewrite' && row.volatility === 'v') return 'opaque:procedural'
  const opaque = OPAQUE.find(([, names]) => names.test(row.name))
  if (opaque !== undefined) return `opaque:${opaque[0]}`
  if (row.volatility === 'v' && PURE_VOLATILE.test(row.name)) return 'pure'
  if (SESSION.test(row.name) && !PURE_PG.test(row.name)) {
    if (row.volatility !== 'v' || !/^pg_/.test(row.name)) return 'session'
    return VOLATILE_SESSION.test(row.name) ? 'session' : 'opaque:procedural'
  }
  return row.volatility === 'v' ? 'opaque:procedural' : 'pure'
}

/** Volatile `pg_` functions that only describe the server or the schema. */
const VOLATILE_SESSION =
  /^pg_(blocking_pids|safe_snapshot_blocking_pids|.*collation_actual_version|control_.*|(database|indexes|relation|table|tablespace|total_relation)_size|current_wal.*|last_.*|is_.*|jit_available|lock_status|notification_queue_usage|partition_.*|get_wait_events|get_loaded_modules|get_shmem_.*|get_backend_memory_contexts|get_wal_.*|get_multixact_members|prepared_xact|xact_.*|available_wal_summaries|wal_summary_contents|show_replication_origin_status)$/

function wrap(words: readonly string[]): string {
  const lines: string[] = []
  let line = ''
  for (const word of words) {
    if (line.length + word.length > 100) {
      lines.push(line)
      line = ''
    }
    line += (line === '' ? '' : ' ') + word
  }
  return [...lines, line].join('\n')
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const list = groups.get(key(item))
    if (list === undefined) groups.set(key(item), [item])
    else list.push(item)
  }
  return groups
}

const RANK = ['pure', 'session', 'opaque:read']
const strictest = (purities: readonly string[]) =>
  [...purities].sort((a, b) => {
    const rank = (p: string) => (RANK.indexOf(p) === -1 ? RANK.length : RANK.indexOf(p))
    return rank(b) - rank(a)
  })[0] ?? 'opaque:procedural'

const client = new pg.Client()
await client.connect()
const { rows } = await client.query<Row>(QUERY)
const version = (await client.query<{ v: string }>('show server_version')).rows[0]?.v ?? ''
await client.end()

const byName = [...groupBy(rows, (row) => row.name)]
const purities = groupBy(byName, ([, list]) => strictest(list.map(purityOf)))
const namesWhere = (test: (list: Row[]) => boolean) =>
  byName.filter(([, list]) => test(list)).map(([name]) => name)
const single = byName.filter(([, list]) => new Set(list.map((row) => row.returns)).size === 1)
const returns = groupBy(single, ([, list]) => list[0]?.returns ?? '')
const outs = byName.flatMap(([name, list]) => {
  const shapes = new Set(list.map((row) => (row.outs ?? []).join(',')))
  if (shapes.size === 1 && shapes.has('')) return []
  return [`${name}:${[...shapes].map((s) => (s === '' ? '-' : s)).join('|')}`]
})

const block = (name: string, doc: string, words: readonly string[]) =>
  `/** ${doc} */\nexport const ${name} = \`\n${wrap(words)}\n\`\n`
const record = (
  name: string,
  doc: string,
  groups: Iterable<readonly [string, readonly string[]]>,
) =>
  `/** ${doc} */\nexport const ${name}: Readonly<Record<string, string>> = {\n${[...groups]
    .map(([key, words]) => `  '${key}': \`\n${wrap(words)}\n\`,`)
    .join('\n')}\n}\n`

writeFileSync(
  new URL('../src/postgres/builtin-functions.ts', import.meta.url),
  [
    `/**\n * Generated by scripts/builtin-functions.ts from PostgreSQL ${version}: do not edit.\n *`,
    ' * The functions of `pg_catalog` that SQL can call, by what a call may do. Names are separated by white space.\n */\n',
    record(
      'PURITY',
      'Strictest purity over all overloads: `pure`, `session`, `opaque:<effect>`.',
      [...purities].map(([key, list]) => [key, list.map(([name]) => name)] as const),
    ),
    block(
      'AGGREGATES',
      'Aggregates.',
      namesWhere((list) => list.some((row) => row.kind === 'a')),
    ),
    block(
      'WINDOWS',
      'Window functions.',
      namesWhere((list) => list.some((row) => row.kind === 'w')),
    ),
    block(
      'SETS',
      'Functions with an overload that returns a set.',
      namesWhere((list) => list.some((row) => row.set)),
    ),
    block(
      'OUTPUTS',
      'Output columns, `name:a,b`; overloads that differ are separated by `|`, `-` is a scalar.',
      outs,
    ),
    record(
      'RETURNS',
      'Return type, where all overloads agree.',
      [...returns].map(([key, list]) => [key, list.map(([name]) => name)] as const),
    ),
  ].join('\n'),
)
