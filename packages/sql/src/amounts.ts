/**
 * What MySQL and MariaDB say of how much is stored: rows, bytes, pages, distinct values (of a prefix, where an index is
 * of one), a checksum. Who may write copies of a value, or values beside it, learns its length, its beginning, or
 * (compressed) its content from these.
 *
 * MySQL 9.7: "The INFORMATION_SCHEMA TABLES Table", PARTITIONS, STATISTICS, FILES; SHOW TABLE STATUS has `Rows`.
 */
import type { ColumnRef } from './facts.ts'

const AMOUNTS = new Set(
  'table_rows rows avg_row_length data_length index_length data_free checksum cardinality total_extents free_extents'.split(
    ' ',
  ),
)

/** Is this column of SHOW TABLE STATUS, SHOW INDEX or their system relations one of those? */
export function tellsAmount(column: string): boolean {
  return AMOUNTS.has(column.toLowerCase())
}

export function isAmount({ schema, column }: ColumnRef): boolean {
  return schema.toLowerCase() === 'information_schema' && tellsAmount(column)
}
