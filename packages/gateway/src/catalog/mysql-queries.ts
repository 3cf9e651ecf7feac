/**
 * The statements that read the schema of a MySQL or MariaDB server, all databases at once. information_schema
 * shows an account what it has a privilege on, view definitions with SHOW VIEW, triggers with TRIGGER: what is
 * not shown is taken for unknown, never for absent (mysql.ts).
 *
 * Each reading is a select list and what it selects from, because the change probe hashes the same rows.
 * https://dev.mysql.com/doc/refman/en/information-schema.html
 */
import type { MysqlFlavour } from '@sallyport/sql'
import {
  COLUMNS_MAX,
  FUNCTIONS_MAX,
  LOCK_SECONDS_MAX,
  RELATIONS_MAX,
  STATEMENT_MS_MAX,
} from './limits.ts'

export interface Reading {
  readonly select: readonly string[]
  readonly from: string
  readonly order: string
  readonly max: number
}

/** Definitions are printed with back quotes and escapes; nothing of the account's defaults changes that. */
export function settings(flavour: MysqlFlavour): string {
  const deadline =
    flavour === 'mysql'
      ? `max_execution_time = ${STATEMENT_MS_MAX}`
      : `max_statement_time = ${STATEMENT_MS_MAX / 1000}`
  return `SET SESSION sql_mode = '', SESSION lock_wait_timeout = ${LOCK_SECONDS_MAX}, SESSION ${deadline}`
}

export const SERVER = 'SELECT VERSION(), @@lower_case_table_names, CURRENT_USER()'

/** schema, name, type, engine. Temporary tables, which newer MariaDB lists, are left out. */
export const RELATIONS: Reading = {
  select: ['TABLE_SCHEMA', 'TABLE_NAME', 'TABLE_TYPE', 'ENGINE'],
  from: "information_schema.TABLES WHERE TABLE_TYPE NOT LIKE '%TEMPORARY%'",
  order: 'TABLE_SCHEMA, TABLE_NAME',
  max: RELATIONS_MAX,
}

/** schema, relation, name, number, type, full type, extra, generation expression, default. */
export const COLUMNS: Reading = {
  select: [
    'TABLE_SCHEMA',
    'TABLE_NAME',
    'COLUMN_NAME',
    'ORDINAL_POSITION',
    'DATA_TYPE',
    'COLUMN_TYPE',
    'EXTRA',
    'GENERATION_EXPRESSION',
    'COLUMN_DEFAULT',
  ],
  from: 'information_schema.COLUMNS',
  order: 'TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION',
  max: COLUMNS_MAX,
}

/** schema, name, definition: null or empty where the account may not see it. */
export const VIEWS: Reading = {
  select: ['TABLE_SCHEMA', 'TABLE_NAME', 'VIEW_DEFINITION'],
  from: 'information_schema.VIEWS',
  order: 'TABLE_SCHEMA, TABLE_NAME',
  max: RELATIONS_MAX,
}

/** schema, name, definition of the views that [[schema, name], …] lists. */
export const CURRENT_DEFINITIONS = `
SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS
 WHERE (TABLE_SCHEMA, TABLE_NAME) IN (?)`

/** schema, name, a column of the tables that [[schema, name], …] lists; in order. */
export const CURRENT_COLUMNS = `
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS
 WHERE (TABLE_SCHEMA, TABLE_NAME) IN (?) ORDER BY ORDINAL_POSITION`

/** schema, table. */
export const TRIGGERS: Reading = {
  select: ['EVENT_OBJECT_SCHEMA', 'EVENT_OBJECT_TABLE', 'TRIGGER_NAME'],
  from: 'information_schema.TRIGGERS',
  order: 'EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME',
  max: RELATIONS_MAX,
}

/** schema, name, kind, return type, security, language, type of result in full, body (null: not shown), sql_mode. */
export const ROUTINES: Reading = {
  select: [
    'ROUTINE_SCHEMA',
    'ROUTINE_NAME',
    'ROUTINE_TYPE',
    'DATA_TYPE',
    'SECURITY_TYPE',
    'EXTERNAL_LANGUAGE',
    'DTD_IDENTIFIER',
    'ROUTINE_DEFINITION',
    'SQL_MODE',
  ],
  from: 'information_schema.ROUTINES',
  order: 'ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE',
  max: FUNCTIONS_MAX,
}

/** schema, function, mode, name, type. */
export const PARAMETERS: Reading = {
  select: [
    'SPECIFIC_SCHEMA',
    'SPECIFIC_NAME',
    'PARAMETER_MODE',
    'PARAMETER_NAME',
    'DTD_IDENTIFIER',
  ],
  from: "information_schema.PARAMETERS WHERE ROUTINE_TYPE = 'FUNCTION' AND ORDINAL_POSITION > 0",
  order: 'SPECIFIC_SCHEMA, SPECIFIC_NAME, ORDINAL_POSITION',
  max: COLUMNS_MAX,
}

/** As ROUTINES and PARAMETERS, of the functions that [[schema, name], …] lists. */
export const CURRENT_FUNCTIONS = `
SELECT ${ROUTINES.select.join(', ')} FROM ${ROUTINES.from}
 WHERE ROUTINE_TYPE = 'FUNCTION' AND (ROUTINE_SCHEMA, ROUTINE_NAME) IN (?)`
export const CURRENT_PARAMETERS = `
SELECT ${PARAMETERS.select.join(', ')} FROM ${PARAMETERS.from} AND (SPECIFIC_SCHEMA, SPECIFIC_NAME) IN (?)
 ORDER BY ${PARAMETERS.order}`

/** schema, table, index, column; the column of an index over an expression is null. */
export const UNIQUE_KEYS: Reading = {
  select: ['TABLE_SCHEMA', 'TABLE_NAME', 'INDEX_NAME', 'COLUMN_NAME'],
  from: 'information_schema.STATISTICS WHERE NON_UNIQUE = 0',
  order: 'TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX',
  max: COLUMNS_MAX,
}

/** schema, table, constraint, column, referenced schema, table and column. */
export const REFERENCES: Reading = {
  select: [
    'TABLE_SCHEMA',
    'TABLE_NAME',
    'CONSTRAINT_NAME',
    'COLUMN_NAME',
    'REFERENCED_TABLE_SCHEMA',
    'REFERENCED_TABLE_NAME',
    'REFERENCED_COLUMN_NAME',
  ],
  from: 'information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL',
  order: 'TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION',
  max: COLUMNS_MAX,
}

/** schema, table, condition. MariaDB's names are unique per table only, and it says which. */
export function checks(flavour: MysqlFlavour): Reading {
  const on =
    flavour === 'mysql'
      ? 't.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME'
      : 't.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME'
  return {
    select: ['t.TABLE_SCHEMA', 't.TABLE_NAME', 'c.CHECK_CLAUSE'],
    from: `information_schema.CHECK_CONSTRAINTS c JOIN information_schema.TABLE_CONSTRAINTS t
      ON ${on} WHERE t.CONSTRAINT_TYPE = 'CHECK'`,
    order: 't.TABLE_SCHEMA, t.TABLE_NAME, c.CONSTRAINT_NAME',
    max: COLUMNS_MAX,
  }
}

/** The schemas whose triggers the account sees; null stands for all of them. Grants by way of roles do not count. */
export const TRIGGER_GRANTS = `
SELECT NULL FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = ? AND PRIVILEGE_TYPE = 'TRIGGER'
UNION ALL
SELECT TABLE_SCHEMA FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE = ? AND PRIVILEGE_TYPE = 'TRIGGER'`

export function selectOf({ select, from, order, max }: Reading): string {
  return `SELECT ${select.join(', ')} FROM ${from} ORDER BY ${order} LIMIT ${max + 1}`
}

/**
 * One row of one value per reading: how many rows, and the sum of 64 bits of each row's hash, so that the
 * order of rows does not matter. JSON keeps NULL apart from the empty string, and one column from the next.
 */
export function probeOf(readings: readonly Reading[]): string {
  const parts = readings.map(({ select, from }) => {
    const hash = `LEFT(SHA2(JSON_ARRAY(${select.join(', ')}), 256), 16)`
    return `(SELECT CONCAT(COUNT(*), ':', COALESCE(SUM(CAST(CONV(${hash}, 16, 10) AS DECIMAL(20))), 0)) FROM ${from})`
  })
  return `SELECT CONCAT_WS(',', ${parts.join(', ')})`
}
