import type { ColumnDefinition } from '@sallyport/protocol-mysql'
import type { CellMask } from '@sallyport/protocol-wire'
import { describe, expect, test } from 'vitest'
import { rowMasks } from './row-masks.ts'

/** A row as the masks show it; in text, or in binary where a cell is bytes. */
function shown(
  masks: readonly (CellMask | undefined)[],
  row: readonly (string | Buffer)[],
): string[] {
  return row.map((cell, i) => {
    const src = Buffer.from(cell)
    const out = { buf: Buffer.alloc(1024), at: 0, ensure: () => undefined }
    const mask = masks[i]
    if (mask === undefined) return src.toString('utf8')
    mask(src, 0, src.length, out)
    return out.buf.toString('utf8', 0, out.at)
  })
}

describe('messages of SHOW WARNINGS', () => {
  const masks = rowMasks('diagnostics', [], () => true)

  test('lose what may be a value, by their number', () => {
    const [level, code, message] = shown(masks, [
      'Warning',
      '1292',
      "Truncated incorrect DOUBLE value: '111-11-1111'",
    ])
    expect([level, code]).toEqual(['Warning', '1292'])
    expect(message).not.toContain('111')
  })

  test('keep the names in them, in binary rows too', () => {
    const words = "Table 'd.t' doesn't exist"
    expect(shown(masks, ['Error', '1146', words])[2]).toBe(words)
    expect(shown(masks, ['Error', Buffer.of(0x7a, 0x04, 0, 0), words])[2]).toBe(words)
  })

  test('each by its own number, whatever came before', () => {
    const words = "Duplicate entry '111-11-1111' for key 't.PRIMARY'"
    shown(masks, ['Error', '1146', "Table 'd.t' doesn't exist"])
    expect(shown(masks, ['Error', '1062', words])[2]).not.toContain('111')
  })
})

describe('counters of SHOW STATUS', () => {
  const masks = rowMasks('counters', [], () => true)

  test.each([
    'Handler_read_next',
    'Sort_rows',
    'Last_query_cost',
    'Innodb_rows_read',
    'Select_scan',
  ])('%s shows 0', (name) => {
    expect(shown(masks, [name, '4711'])).toEqual([name, '0'])
  })

  test.each(['Ssl_cipher', 'Threads_connected', 'Uptime', 'Com_select'])(
    '%s shows itself',
    (name) => {
      expect(shown(masks, [name, '4711'])).toEqual([name, '4711'])
    },
  )
})

test('rows that describe the schema have no masks', () => {
  expect(rowMasks('metadata', [], () => true)).toEqual([])
})

describe('what describes tables', () => {
  const columns = ['Name', 'Rows', 'Avg_row_length', 'Comment'].map((name) => ({ name }))
  // Safe: nothing but the name is looked at.
  const definitions = columns as unknown as ColumnDefinition[]
  const isProtected = (table: string) => table === 'people'
  const row = (table: string) => [table, '7', '20', 'note']
  const nulls = (rows: 'amounts' | 'temporary-amounts', table: string) => {
    const masks = rowMasks(rows, definitions, isProtected)
    const out = { buf: Buffer.alloc(64), at: 0, ensure: () => undefined }
    return row(table).map((cell, i) => masks[i]?.(Buffer.from(cell), 0, cell.length, out) === -1)
  }

  test('does not say how much is stored in one with masked columns', () => {
    expect(nulls('amounts', 'people')).toEqual([false, true, true, false])
    expect(nulls('amounts', 'orders')).toEqual([false, false, false, false])
  })

  test('nor in one that may be temporary', () => {
    expect(nulls('temporary-amounts', 'orders')).toEqual([false, true, true, false])
  })
})
