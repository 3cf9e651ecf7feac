import { describe, expect, test } from 'vitest'
import { ecsOf } from './export/ecs.ts'
import { type LogPosition, recordsFrom } from './follow.ts'
import { openAuditLog } from './open.ts'
import { clockAt, temporaryDirectory } from './testing.ts'
import { opening, outcome, statement } from './testing-events.ts'

describe('following a log', () => {
  test('gives every record once, across segments and across readers', async () => {
    const directory = temporaryDirectory()
    const log = await openAuditLog({
      directory,
      now: clockAt().now,
      segmentBytes: 900,
      index: false,
    })
    const seen: number[] = []
    let at: LogPosition | null = null
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 4; i++) log.append(statement({ ordinal: i }))
      log.flush()
      for (const { record, next } of recordsFrom(directory, at)) {
        seen.push(record.seq)
        at = next
      }
    }
    await log.close()
    for (const { record } of recordsFrom(directory, at)) seen.push(record.seq)
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => i + 1))
    expect(seen.length).toBeGreaterThan(22)
  })

  test('is empty where there is no log', () => {
    expect([...recordsFrom(temporaryDirectory(), null)]).toEqual([])
  })
})

describe('a record as ECS', () => {
  const record = (event: unknown) =>
    // Safe: what a log gives back of an event it took.
    ({ seq: 7, at: 1_767_225_600_000, prev: '0'.repeat(64), event }) as Parameters<typeof ecsOf>[0]

  test('says who did what, with what outcome, and keeps the record whole', () => {
    const denied = record(statement({ verdict: 'deny', rule: 'no orders', reason: 'not allowed' }))
    expect(ecsOf(denied)).toMatchObject({
      '@timestamp': '2026-01-01T00:00:00.000Z',
      event: { action: 'statement', type: ['denied', 'access'], outcome: 'failure', sequence: 7 },
      rule: { name: 'no orders' },
      message: 'SELECT name FROM customers',
      sallyport: denied,
    })
    const [, login] = opening('s1', 'ann')
    expect(ecsOf(record(login))).toMatchObject({
      event: { category: ['authentication'], outcome: 'success' },
      user: { name: 'ann' },
      service: { name: 'crm' },
    })
    expect(ecsOf(record(outcome({ statement: 7, micros: 5 })))).toMatchObject({
      event: { duration: 5_000, outcome: 'success' },
    })
  })
})
