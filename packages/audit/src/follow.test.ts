import { describe, expect, test } from 'vitest'
import { type LogPosition, recordsFrom } from './follow.ts'
import { openAuditLog } from './open.ts'
import { clockAt, temporaryDirectory } from './testing.ts'
import { statement } from './testing-events.ts'

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
