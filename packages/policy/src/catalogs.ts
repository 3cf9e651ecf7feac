/**
 * Which system relations are plain metadata (what drivers, ORMs and psql read all day) and which hold values,
 * statement texts, credentials or planner statistics. The list of metadata is closed: a system relation that is
 * not on it counts as data, whatever a later server version adds.
 *
 * PostgreSQL: chapter "System Catalogs" and "System Views" (18). MySQL/MariaDB: INFORMATION_SCHEMA tables.
 */

import type { RelationUse } from '@sallyport/sql'

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

const POSTGRES_METADATA = words(`
  pg_aggregate pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_available_extension_versions
  pg_available_extensions pg_cast pg_class pg_collation pg_constraint pg_conversion pg_cursors pg_database
  pg_db_role_setting pg_default_acl pg_depend pg_description pg_enum pg_event_trigger pg_extension
  pg_foreign_data_wrapper pg_foreign_table pg_group pg_index pg_indexes pg_inherits pg_init_privs pg_language
  pg_largeobject_metadata pg_locks pg_matviews pg_namespace pg_opclass pg_operator pg_opfamily pg_parameter_acl
  pg_partitioned_table pg_policies pg_policy pg_prepared_statements pg_proc pg_publication
  pg_publication_namespace pg_publication_rel pg_publication_tables pg_range pg_rewrite pg_roles pg_rules
  pg_seclabel pg_seclabels pg_sequence pg_settings pg_shdepend pg_shdescription pg_shseclabel
  pg_stat_all_indexes pg_stat_all_tables pg_stat_database pg_stat_user_functions pg_stat_user_indexes
  pg_stat_user_tables pg_statio_all_indexes pg_statio_all_sequences
  pg_statio_all_tables pg_statio_user_indexes pg_statio_user_sequences pg_statio_user_tables pg_statistic_ext
  pg_tables pg_tablespace pg_timezone_abbrevs pg_timezone_names pg_transform pg_trigger pg_ts_config
  pg_ts_config_map pg_ts_dict pg_ts_parser pg_ts_template pg_type pg_user pg_views`)

/** In information_schema of PostgreSQL everything is metadata but option values (passwords of user mappings). */
const POSTGRES_INFORMATION_DATA = words(`
  _pg_foreign_servers _pg_foreign_table_columns _pg_foreign_tables _pg_user_mappings foreign_server_options
  foreign_data_wrapper_options foreign_table_options user_mapping_options column_options`)

const MYSQL_INFORMATION_METADATA = words(`
  administrable_role_authorizations applicable_roles character_sets check_constraints
  collation_character_set_applicability collations column_privileges columns columns_extensions enabled_roles
  engines events files geometry_columns key_column_usage keywords parameters partitions plugins
  referential_constraints resource_groups role_column_grants role_routine_grants role_table_grants routines
  schema_privileges schemata schemata_extensions spatial_ref_sys st_geometry_columns
  st_spatial_reference_systems st_units_of_measure statistics system_variables table_constraints
  table_constraints_extensions table_privileges tables tables_extensions tablespaces tablespaces_extensions
  triggers user_privileges view_routine_usage view_table_usage views`)

const MYSQL_PERFORMANCE_METADATA = words(`
  global_status global_variables session_status session_variables session_connect_attrs keyring_component_status`)

export type CatalogClass = 'metadata' | 'data'

function classOf(schema: string | null, name: string): CatalogClass | null {
  const relation = name.toLowerCase()
  switch (schema?.toLowerCase() ?? null) {
    case null:
      // Not resolved: the prefix is the server's own, so it may be the server's relation.
      if (!relation.startsWith('pg_')) return null
      return POSTGRES_METADATA.has(relation) ? 'metadata' : 'data'
    case 'pg_catalog':
      return POSTGRES_METADATA.has(relation) ? 'metadata' : 'data'
    case 'information_schema':
      return informationClass(relation)
    case 'performance_schema':
      return MYSQL_PERFORMANCE_METADATA.has(relation) ? 'metadata' : 'data'
    case 'pg_toast':
    case 'mysql':
    case 'sys':
      return 'data'
    default:
      return isStatistics(relation) || schema?.toLowerCase().startsWith('pg_toast') ? 'data' : null
  }
}

/** Views an extension puts into an ordinary schema that show other sessions' statement texts. */
function isStatistics(relation: string): boolean {
  return relation.startsWith('pg_stat_statements') || relation.startsWith('pg_stat_monitor')
}

// Both engines have an information_schema; a name is metadata only if it is so in each that has it.
const POSTGRES_INFORMATION_METADATA = words(`
  administrable_role_authorizations applicable_roles attributes character_sets
  check_constraint_routine_usage check_constraints collation_character_set_applicability collations
  column_column_usage column_domain_usage column_privileges column_udt_usage columns constraint_column_usage
  constraint_table_usage data_type_privileges domain_constraints domain_udt_usage domains element_types
  enabled_roles foreign_data_wrappers foreign_servers foreign_tables information_schema_catalog_name
  key_column_usage parameters referential_constraints role_column_grants role_routine_grants role_table_grants
  role_udt_grants role_usage_grants routine_column_usage routine_privileges routine_routine_usage
  routine_sequence_usage routine_table_usage routines schemata sequences sql_features
  sql_implementation_info sql_parts sql_sizing table_constraints table_privileges tables transforms
  triggered_update_columns triggers udt_privileges usage_privileges user_defined_types user_mappings
  view_column_usage view_routine_usage view_table_usage views _pg_expandarray`)

function informationClass(relation: string): CatalogClass {
  if (POSTGRES_INFORMATION_DATA.has(relation)) return 'data'
  return POSTGRES_INFORMATION_METADATA.has(relation) || MYSQL_INFORMATION_METADATA.has(relation)
    ? 'metadata'
    : 'data'
}

/** Counters of the server and the session: they tell how much was read, sorted and sent. */
export function isCounters({ schema, name }: RelationUse): boolean {
  return schema?.toLowerCase() === 'performance_schema' && /^(global|session)_status$/i.test(name)
}

/** A base relation behind a metadata view (pg_authid behind pg_roles) is what the view shows of it: metadata. */
export function catalogClass(use: RelationUse): CatalogClass | null {
  if (use.kind === 'temporary') return null
  if (use.through !== undefined) {
    const dot = use.through.indexOf('.')
    const view = dot < 0 ? null : classOf(use.through.slice(0, dot), use.through.slice(dot + 1))
    if (view !== null) return view
  }
  return classOf(use.schema, use.name)
}
