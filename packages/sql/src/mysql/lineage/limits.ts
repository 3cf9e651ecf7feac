/** Named caps of the walk over MySQL and MariaDB statements. */

/** Columns of a query's result; the server's own limit of a table's columns (MAX_FIELDS). */
export const RESULT_COLUMNS_MAX = 4_096

/** Columns that `*` over a join may stand for before a select list is full. */
export const JOIN_COLUMNS_MAX = 32_767
