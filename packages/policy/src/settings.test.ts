import { describe, expect, test } from 'vitest'
import { harmlessSetting } from './settings.ts'

describe('settings anyone may change', () => {
  test.each([
    ['group_concat_max_len', 'computed'],
    ['time_zone', 'computed'],
    ['sql_mode', ['STRICT_TRANS_TABLES,NO_ZERO_DATE']],
    ['character_set_results', ['null']],
    ['database', ['crm']],
  ] as const)('%s to %s', (name, values) => {
    expect(harmlessSetting(name, values)).toBe(true)
  })

  test.each([
    ['sql_mode', 'computed'],
    ['character_set_client', 'computed'],
    ['collation_connection', 'computed'],
    ['character_set_client', ['null']],
    ['sql_mode', ['ANSI_QUOTES']],
    ['foreign_key_checks', ['0']],
    ['global.time_zone', ['UTC']],
  ] as const)('a rule must name %s for it to become %s', (name, values) => {
    expect(harmlessSetting(name, values)).toBe(false)
  })
})
