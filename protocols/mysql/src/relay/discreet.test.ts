/** Replies that would tell of values beside the rows: how many warnings, how many rows changed, how they were found. */
import { describe, expect, test } from 'vitest'
import { encodePacket } from '../packets.ts'
import {
  decodeEof,
  decodeOk,
  encodeEof,
  encodeOk,
  HEADER,
  type OkPacket,
  plainOk,
  STATUS,
} from '../responses.ts'
import { Bench, packets, query, result } from './testing.ts'

const LAYOUT = { sessionTrack: false, header: HEADER.OK } as const

const UPDATED: OkPacket = {
  ...plainOk(STATUS.AUTOCOMMIT | STATUS.NO_INDEX_USED),
  affectedRows: 2n,
  warnings: 3,
  info: Buffer.from('Rows matched: 5  Changed: 2  Warnings: 3'),
}

/** What the client reads where the server has answered with `ok`. */
function told(text: string, ok: OkPacket): OkPacket {
  const bench = new Bench().client(query(text))
  bench.upstream(encodePacket(1, encodeOk(ok, LAYOUT)))
  return decodeOk(bench.toClient().subarray(4), LAYOUT)
}

const info = (ok: OkPacket): string => Buffer.from(ok.info).toString()

describe('of a statement over masked columns', () => {
  test('an OK says of no warning, and that every row it found changed', () => {
    const ok = told('quiet update', UPDATED)
    expect(ok.warnings).toBe(0)
    expect(ok.affectedRows).toBe(5n)
    expect(info(ok)).toBe('Rows matched: 5  Changed: 5  Warnings: 0')
  })

  test('also where there was no warning', () => {
    const quiet = { ...UPDATED, warnings: 0, info: Buffer.from('Rows matched: 5  Changed: 0') }
    expect(told('quiet update', quiet).affectedRows).toBe(5n)
  })

  test('the EOFs of its result say of no warning', () => {
    const bench = new Bench().client(query('quiet select'))
    const warned = encodeEof({ warnings: 7, status: STATUS.AUTOCOMMIT })
    const [count, definition, , row] = result(['a'], [['1']]) as [Buffer, Buffer, Buffer, Buffer]
    bench.upstream(packets([count, definition, warned, row, warned]))
    expect(eofs(bench.toClient()).map(({ warnings }) => warnings)).toEqual([0, 0])
  })
})

test('of any other statement they are as they came', () => {
  const ok = told('update', UPDATED)
  expect(ok).toMatchObject({ affectedRows: 2n, warnings: 3, status: UPDATED.status })
  expect(info(ok)).toBe('Rows matched: 5  Changed: 2  Warnings: 3')
})

test('a principal under masks is not told whether indexes were of use', () => {
  const ok = told('mask update', UPDATED)
  expect(ok.status).toBe(STATUS.AUTOCOMMIT)
  expect(ok).toMatchObject({ affectedRows: 2n, warnings: 3 })
})

/** The EOF packets among packets. */
function eofs(bytes: Buffer): ReturnType<typeof decodeEof>[] {
  const found: ReturnType<typeof decodeEof>[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUIntLE(at, 3)
    if (bytes[at + 4] === 0xfe && end - at === 9) found.push(decodeEof(bytes.subarray(at + 4, end)))
    at = end
  }
  return found
}
