/** Units of intervals. */
import type { Cursor } from './cursor.ts'

const UNITS = new Set(
  (
    'MICROSECOND SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR ' +
    'SECOND_MICROSECOND MINUTE_MICROSECOND MINUTE_SECOND HOUR_MICROSECOND HOUR_SECOND HOUR_MINUTE ' +
    'DAY_MICROSECOND DAY_SECOND DAY_MINUTE DAY_HOUR YEAR_MONTH ' +
    'SQL_TSI_SECOND SQL_TSI_MINUTE SQL_TSI_HOUR SQL_TSI_DAY SQL_TSI_WEEK SQL_TSI_MONTH SQL_TSI_QUARTER SQL_TSI_YEAR'
  ).split(' '),
)

/** The unit at the cursor in lower case, not taken; null where there is none. */
export function intervalUnit(cursor: Cursor): string | null {
  const { key } = cursor.token
  return UNITS.has(key) ? key.toLowerCase().replace(/^sql_tsi_/, '') : null
}

export function expectUnit(cursor: Cursor): string {
  const unit = intervalUnit(cursor) ?? cursor.fail('expected a unit')
  cursor.next()
  return unit
}
