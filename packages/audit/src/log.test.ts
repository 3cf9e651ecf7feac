import { appendFileSync, chmodSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from './canonical.ts'
import type { SignedHead, StoredEvent } from './event.ts'
import { anchorToFile, HEADS_FILE } from './heads.ts'
import type { AuditLog } from './log.ts'
import { leafHash } from './merkle.ts'
import { openAuditLog } from './open.ts'
import type { AuditLogOptions } from './options.ts'
import { decodeRecord } from './record.ts'
import { listSegments, segmentPath } from './segments.ts'
import { clockAt, publicKeyIn, temporaryDirectory } from './testing.ts'
import { outcome, statement } from './testing-events.ts'
import { verifyLog } from './verify.ts'

function open(directory: string, options: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
  return openAuditLog({ directory, now: clockAt().now, index: false, ...options })
}

function eventsIn(directory: string): StoredEvent[] {
  return listSegments(directory)
    .flatMap((segment) => readFileSync(segmentPath(directory, segment), 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => decodeRecord(Buffer.from(line))?.event ?? { type: 'unreadable', v: 0 })
}

function typesIn(directory: string): string[] {
  return eventsIn(directory).map((event) => event.type)
}

async function verified(directory: string): Promise<boolean> {
  return (await verifyLog(directory, { publicKeys: [publicKeyIn(directory)] })).ok
}

describe('a log', () => {
  test('records its own start and stop, and can be verified', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory)
    expect(log.append(statement())).toBe(2)
    await log.close()
    expect(typesIn(directory)).toEqual(['log-started', 'statement', 'log-stopped'])
    expect(await verified(directory)).toBe(true)
  })

  test('has nothing on disk before flush, and all of it after', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory)
    log.append(statement())
    expect(log.pending).toBe(true)
    expect(typesIn(directory)).toEqual(['log-started'])
    log.flush()
    expect(log.pending).toBe(false)
    expect(typesIn(directory)).toEqual(['log-started', 'statement'])
    await log.close()
  })

  test('goes on with sequence and chain when it is opened again', async () => {
    const directory = temporaryDirectory()
    await (await open(directory)).close()
    const log = await open(directory)
    expect(log.append(statement())).toBe(4)
    await log.close()
    expect(eventsIn(directory)[2]).toMatchObject({ type: 'log-started', previous: 'stopped' })
    expect(await verified(directory)).toBe(true)
  })

  test('closes segments with a footer at their size and goes on in the next', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { segmentBytes: 2_000 })
    for (let i = 0; i < 40; i++) {
      log.append(outcome({ statement: log.append(statement()) }))
      log.flush()
    }
    await log.close()
    expect(listSegments(directory).length).toBeGreaterThan(5)
    expect(await verified(directory)).toBe(true)
    const again = await open(directory, { segmentBytes: 2_000 })
    await again.close()
    expect(await verified(directory)).toBe(true)
  })

  test('goes on behind a footer when the process died before the next segment was made', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { segmentBytes: 1, headMs: 3_600_000 })
    log.append(statement())
    log.flush()
    await log.close()
    rmSync(segmentPath(directory, 3))
    // As the disk would be: no head speaks of what was never written.
    const heads = readFileSync(join(directory, HEADS_FILE), 'utf8').split('\n')
    rmSync(join(directory, HEADS_FILE))
    appendFileSync(join(directory, HEADS_FILE), `${heads[0]}\n`)
    const again = await open(directory)
    await again.close()
    expect(listSegments(directory)).toEqual([1, 2, 3])
    expect(await verified(directory)).toBe(true)
  })

  test('refuses a second writer, and lets one in after the first has gone', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory)
    await expect(open(directory)).rejects.toMatchObject({ code: 'locked' })
    await log.close()
    await (await open(directory)).close()
  })

  test('refuses everything after close', async () => {
    const log = await open(temporaryDirectory())
    await log.close()
    await log.close()
    expect(log.state).toBe('closed')
    expect(() => log.append(statement())).toThrow(expect.objectContaining({ code: 'unavailable' }))
    expect(() => log.flush()).toThrow(expect.objectContaining({ code: 'unavailable' }))
  })

  test('refuses when more is unflushed than the buffer may hold', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { bufferBytes: 2_000 })
    const fill = () => {
      for (let i = 0; i < 20; i++) log.append(statement())
    }
    expect(fill).toThrow(expect.objectContaining({ code: 'unavailable' }))
    log.flush()
    log.append(statement())
    await log.close()
    expect(await verified(directory)).toBe(true)
  })

  test('keeps files from everyone but their owner', async () => {
    const directory = join(temporaryDirectory(), 'log')
    const log = await open(directory, { index: true })
    log.append(statement())
    await log.indexed()
    for (const name of ['', '00000001.jsonl', HEADS_FILE, 'signing-key.pem', 'index.db']) {
      expect(statSync(join(directory, name)).mode & 0o077).toBe(0)
    }
    await log.close()
  })

  test.each([
    ['segmentBytes', { segmentBytes: 0 }],
    ['bufferBytes', { bufferBytes: 1e12 }],
    ['headMs', { headMs: 1 }],
    ['headRecords', { headRecords: Number.NaN }],
  ])('refuses a %s out of range', async (_name, options) => {
    const opened = open(temporaryDirectory(), options)
    await expect(opened).rejects.toMatchObject({ code: 'invalid-option' })
  })

  test('writes with fdatasync when asked', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { sync: 'fdatasync', segmentBytes: 600 })
    log.append(statement())
    log.flush()
    log.append(statement())
    log.flush('page-cache')
    log.flush('fdatasync')
    await log.close()
    expect(await verified(directory)).toBe(true)
  })
})

describe('the clock of a log', () => {
  test('never goes back along the records, and a step back is itself recorded', async () => {
    const directory = temporaryDirectory()
    const clock = clockAt(1_000_000)
    const log = await open(directory, { now: clock.now })
    clock.ms -= 5_000
    log.append(statement())
    log.append(statement())
    clock.ms += 6_000
    log.append(statement())
    await log.close()
    const records = readFileSync(segmentPath(directory, 1), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => decodeRecord(Buffer.from(line)))
    expect(records.map((record) => [record?.event.type, record?.at])).toEqual([
      ['log-started', 1_000_000],
      ['clock-stepped', 1_000_000],
      ['statement', 1_000_000],
      ['statement', 1_000_000],
      ['statement', 1_001_000],
      ['log-stopped', 1_001_000],
    ])
    expect(records[1]?.event).toMatchObject({ wall: 995_000 })
    expect(await verified(directory)).toBe(true)
  })

  test('that jumps ahead and back leaves every record in order, and a note of the way back', async () => {
    const directory = temporaryDirectory()
    const clock = clockAt(1_000_000)
    const log = await open(directory, { now: clock.now })
    const years = 20 * 365 * 86_400_000
    for (const ms of [years, -years, 1_000, 1_000]) {
      clock.ms += ms
      log.append(statement())
      log.flush()
    }
    await log.close()
    const records = readFileSync(segmentPath(directory, 1), 'utf8').split('\n').slice(0, -1)
    const types = records.map((line) => decodeRecord(Buffer.from(line))?.event.type)
    expect(types.filter((type) => type === 'statement')).toHaveLength(4)
    expect(types.filter((type) => type === 'clock-stepped')).toHaveLength(1)
    expect(await verified(directory)).toBe(true)
  })

  test('is not trusted blindly: no number, no record', async () => {
    const clock = clockAt()
    const log = await open(temporaryDirectory(), { now: clock.now })
    clock.ms = Number.NaN
    expect(() => log.append(statement())).toThrow(
      expect.objectContaining({ code: 'invalid-event' }),
    )
    clock.ms = clockAt().ms
    await log.close()
  })
})

describe('signed heads', () => {
  test('are due after so many records', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { headRecords: 10 })
    for (let i = 0; i < 35; i++) {
      log.append(statement())
      log.flush()
      // Storing a head takes a turn or two of the disk.
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await log.close()
    const heads = readFileSync(join(directory, HEADS_FILE), 'utf8').trim().split('\n')
    expect(heads.length).toBeGreaterThanOrEqual(4)
    expect(await verified(directory)).toBe(true)
  })

  test('go to the anchor too', async () => {
    const directory = temporaryDirectory()
    const file = join(temporaryDirectory(), 'anchored.jsonl')
    const log = await open(directory, { anchor: anchorToFile(file) })
    await log.close()
    expect(readFileSync(file, 'utf8')).toBe(readFileSync(join(directory, HEADS_FILE), 'utf8'))
  })

  test('that cannot be anchored leave the log working and a record of it, once', async () => {
    const directory = temporaryDirectory()
    const anchor = () => Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }))
    const log = await open(directory, { anchor })
    await log.signHead()
    log.append(statement())
    await log.close()
    const failures = eventsIn(directory).filter((event) => event.type === 'anchor-failed')
    expect(failures).toMatchObject([{ seq: 1, code: 'ECONNREFUSED' }])
  })

  test('speak of records that are on the disk', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory)
    const seq = log.append(statement())
    const head: SignedHead = await log.signHead()
    expect(head).toMatchObject({ seq, segment: 1, records: 2 })
    await log.close()
  })
})

describe('opening a log', () => {
  async function closedLog(): Promise<string> {
    const directory = temporaryDirectory()
    const log = await open(directory)
    log.append(statement())
    await log.close()
    return directory
  }

  test('drops a torn last line and records how much', async () => {
    const directory = await closedLog()
    appendFileSync(segmentPath(directory, 1), '{"at":1767225600000,"ev')
    await (await open(directory)).close()
    const offset = 0
    expect(eventsIn(directory)[3]).toMatchObject({ type: 'log-recovered', segment: 1, bytes: 23 })
    expect(eventsIn(directory)[3]?.['offset']).toBeGreaterThan(offset)
    expect(await verified(directory)).toBe(true)
  })

  test('drops pages a power cut left unwritten', async () => {
    const directory = await closedLog()
    appendFileSync(segmentPath(directory, 1), `${'\0'.repeat(4_096)}"},"seq":9}\n{"at":1`)
    await (await open(directory)).close()
    expect(eventsIn(directory)[3]).toMatchObject({ type: 'log-recovered' })
    expect(await verified(directory)).toBe(true)
  })

  test('drops a torn last head', async () => {
    const directory = await closedLog()
    appendFileSync(join(directory, HEADS_FILE), '{"at":17')
    await (await open(directory)).close()
    expect(await verified(directory)).toBe(true)
  })

  test.each([
    [
      'a record was changed',
      (file: string) => readFileSync(file, 'utf8').replace('customers', 'suppliers'),
    ],
    [
      'a record was removed',
      (file: string) => readFileSync(file, 'utf8').split('\n').toSpliced(1, 1).join('\n'),
    ],
    [
      'signed records were cut',
      (file: string) => readFileSync(file, 'utf8').split('\n').toSpliced(2, 1).join('\n'),
    ],
    ['signed records were torn', (file: string) => readFileSync(file, 'utf8').slice(0, -5)],
    [
      'the last record was changed and nothing follows to notice',
      (file: string) => readFileSync(file, 'utf8').replace('log-stopped', 'log-stepped'),
    ],
    ['a foreign line was added', (file: string) => `${readFileSync(file, 'utf8')}{}\n`],
  ])('is refused when %s', async (_name, damage) => {
    const directory = await closedLog()
    const file = segmentPath(directory, 1)
    const damaged = damage(file)
    rmSync(file)
    appendFileSync(file, damaged)
    await expect(open(directory)).rejects.toMatchObject({ code: 'corrupt' })
    // The refusal changed nothing and locks nothing.
    expect(readFileSync(file, 'utf8')).toBe(damaged)
    await expect(open(directory)).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('is refused when a record was chained on behind a footer', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { segmentBytes: 1 })
    await log.close()
    rmSync(segmentPath(directory, 2))
    rmSync(join(directory, HEADS_FILE))
    const file = segmentPath(directory, 1)
    const footer = Buffer.from(readFileSync(file, 'utf8').split('\n').at(-2) ?? '')
    const { seq = 0, at = 0 } = decodeRecord(footer) ?? {}
    const next = { at, event: statement(), prev: leafHash(footer), seq: seq + 1 }
    appendFileSync(file, `${canonicalJson(next)}\n`)
    await expect(open(directory)).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('is refused when all segments are gone but heads are not', async () => {
    const directory = await closedLog()
    rmSync(segmentPath(directory, 1))
    await expect(open(directory)).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('is refused when the newest head was tampered with', async () => {
    const directory = await closedLog()
    const file = join(directory, HEADS_FILE)
    const heads = readFileSync(file, 'utf8')
    for (const forged of [heads.replace(/.("signature":"..)../g, '$1AA'), `${heads}{}\n`]) {
      rmSync(file)
      appendFileSync(file, forged)
      await expect(open(directory)).rejects.toMatchObject({ code: 'corrupt' })
    }
  })

  test('is refused when its key is lost: a new one would go unnoticed', async () => {
    const directory = await closedLog()
    rmSync(join(directory, 'signing-key.pem'))
    await expect(open(directory)).rejects.toMatchObject({ code: 'key-missing' })
    expect(existsSync(join(directory, 'signing-key.pem'))).toBe(false)
  })

  test('is refused when its key can be read by others', async () => {
    const directory = await closedLog()
    chmodSync(join(directory, 'signing-key.pem'), 0o640)
    await expect(open(directory)).rejects.toMatchObject({ code: 'key-unsafe' })
  })
})
