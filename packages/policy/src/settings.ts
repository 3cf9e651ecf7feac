/**
 * Session settings anyone who may connect can change, because they alter neither what a later statement means
 * for policy nor whose rights it runs with (`row_security` chooses between leaving rows out and failing). The list is closed: any other setting (role, session_authorization,
 * session_replication_role, custom `app.*` settings that row-level security may read, ...) needs an
 * allow rule that names it under `settings`.
 */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

const HARMLESS = words(`
  application_name client_min_messages datestyle intervalstyle timezone extra_float_digits statement_timeout
  lock_timeout idle_in_transaction_session_timeout idle_session_timeout transaction_timeout search_path
  bytea_output escape_string_warning default_transaction_isolation default_transaction_read_only
  default_transaction_deferrable transaction_isolation transaction_read_only transaction_deferrable
  transaction_mode work_mem plan_cache_mode random_page_cost seq_page_cost cpu_tuple_cost cursor_tuple_fraction
  default_text_search_config from_collapse_limit join_collapse_limit geqo geqo_threshold
  max_parallel_workers_per_gather jit jit_above_cost synchronous_commit xmloption xmlbinary lc_monetary
  lc_numeric lc_time tcp_user_timeout quote_all_identifiers check_function_bodies default_tablespace
  row_security default_table_access_method temp_tablespaces synchronize_seqscans enable_bitmapscan enable_hashagg
  enable_hashjoin enable_indexonlyscan enable_indexscan enable_material enable_memoize enable_mergejoin
  enable_nestloop enable_partition_pruning enable_seqscan enable_sort enable_tidscan
  autocommit wait_timeout interactive_timeout net_read_timeout net_write_timeout net_buffer_length
  max_execution_time max_statement_time innodb_lock_wait_timeout lock_wait_timeout group_concat_max_len
  sql_select_limit sql_auto_is_null sql_notes sql_warnings sql_quote_show_create time_zone tx_isolation
  tx_read_only optimizer_switch information_schema_stats_expiry lc_time_names lc_messages
  default_storage_engine cte_max_recursion_depth database
  sql_safe_updates sql_big_selects sql_buffer_result max_join_size max_sort_length sort_buffer_size
  join_buffer_size read_buffer_size read_rnd_buffer_size tmp_table_size max_heap_table_size
  div_precision_increment default_week_format`)

/**
 * Does it choose how the server finds and joins rows? The order in which rows come tells the order of values
 * where a plan reads an index on them or merges by them. Or does it refuse what is estimated to read more rows, or tell
 * values apart by how they begin?
 */
export function choosesPlans(name: string, values: readonly string[]): boolean {
  const setting = name.toLowerCase().replace(/^(@@)?((session|local)\.)?/, '')
  // A cursor planned as the query by itself would be; what Tableau begins with.
  if (setting === 'cursor_tuple_fraction' && /^1(\.0*)?$/.test(values.join())) return false
  return /^enable_|_cost$|^(cursor_tuple_fraction|geqo.*|.*_collapse_limit|optimizer_switch|max_join_size|sql_big_selects|max_sort_length)$/.test(
    setting,
  )
}

/**
 * What only refuses statements, for its user's own sake: what it says without is done, too. `mysql --safe-updates` sets
 * it beside what it is asked for.
 */
export function isSurplus(name: string): boolean {
  return name === 'max_join_size'
}

/** Lower-case values without separators; utf8 variants cannot move a quote. */
const CHARSETS = words(
  `utf8 utf-8 unicode utf8mb3 utf8mb4 ascii us-ascii sql_ascii latin1 iso-8859-1 binary default`,
)
const CHARSET_SETTINGS = words(`
  character_set_client character_set_connection character_set_results character_set names charset`)
const COLLATION_SETTINGS = words('collation_connection')

const SQL_MODES = words(`
  strict_trans_tables strict_all_tables no_zero_in_date no_zero_date error_for_division_by_zero traditional
  no_engine_substitution no_auto_create_user only_full_group_by no_auto_value_on_zero allow_invalid_dates
  time_truncate_fractional no_unsigned_subtraction pad_char_to_full_length no_dir_in_create`)

const lower = (values: readonly string[]): string[] => values.map((v) => v.trim().toLowerCase())

/**
 * May anyone who can connect make this change? `values` null is a reset to the session's default, `computed` a value
 * that nobody knows beforehand.
 */
export function harmlessSetting(
  name: string,
  values: readonly string[] | null | 'computed',
): boolean {
  // No list has this value, so only settings pass whose value does not matter.
  if (values === 'computed') return harmlessSetting(name, ['?'])
  let setting = name.toLowerCase().replaceAll(' ', '_')
  for (const scope of ['@@session.', 'session.', '@@local.', 'local.', '@@'])
    if (setting.startsWith(scope)) setting = setting.slice(scope.length)
  // A user variable: what flows into it is checked as a flow.
  if (setting.startsWith('@')) return true
  if (setting === 'time_zone' || HARMLESS.has(setting)) return true
  if (setting === 'client_encoding')
    return (
      values === null ||
      lower(values).every((v) => v === 'utf8' || v === 'utf-8' || v === 'unicode')
    )
  if (setting === 'standard_conforming_strings')
    return values !== null && values.length === 1 && /^(on|true|yes|1|t)$/i.test(values[0] ?? '')
  if (setting === 'sql_mode')
    return (
      values !== null &&
      lower(values.flatMap((v) => v.split(','))).every((v) => v === '' || SQL_MODES.has(v))
    )
  // No conversion: rows come in the charset that their metadata says.
  if (setting === 'character_set_results' && values?.join().toLowerCase() === 'null') return true
  if (CHARSET_SETTINGS.has(setting))
    return values === null || lower(values).every((v) => CHARSETS.has(v))
  if (COLLATION_SETTINGS.has(setting))
    return (
      values === null ||
      lower(values).every((v) => /^(utf8(mb3|mb4)?|latin1|ascii)_\w+$|^binary$/.test(v))
    )
  return false
}
