import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { AuditLog } from '../log.ts'
import { openAuditLog } from '../open.ts'
import type { AuditLogOptions } from '../options.ts'
import type { AuditRecord } from '../record.ts'
import { segmentPath } from '../segments.ts'
import { clockAt, type TestClock, temporaryDirectory } from '../testing.ts'
import { opening, outcome, statement } from '../testing-events.ts'
import { Indexer, rebuildIndex, updateIndex } from './indexer.ts'
import { type AuditReader, openAuditReader, type Page } from './reader.ts'
import type { SearchQuery } from './search.ts'

function open(directory: string, options: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
  return openAuditLog({ directory, now: clockAt().now, index: false, ...options })
}

async function read(directory: string): Promise<AuditReader> {
  const reader = await openAuditReader({ directory, update: true })
  onTestFinished(() => reader.close())
  return reader
}

async function seqsOf(reader: AuditReader, query: SearchQuery): Promise<number[]> {
  return (await reader.search(query)).items.map((record) => record.seq)
}

/**
 * Sequence numbers: 1 log-started, 2-4 s1 of ann on crm, 5-7 s2 of bot on hr, then
 * 8 ann reads customers, 9 its outcome, 10 bot is denied orders, 11 bot's held update, 12 its outcome,
 * 13 approval-requested, 14 approval-decided, 15 s1 ends, 16 log-stopped. One second between records.
 */
async function sampleLog(directory: string, clock: TestClock): Promise<void> {
  const log = await open(directory, { now: clock.now, segmentBytes: 1_500 })
  const events = [
    ...opening('s1', 'ann'),
    ...opening('s2', 'bot', 'hr'),
    statement({ sql: 'SELECT Name, card_number FROM customers', session: 's1' }),
    outcome({ statement: 8, rows: 3, bytes: 90 }),
    statement({
      session: 's2',
      sql: 'SELECT * FROM orders',
      verdict: 'deny',
      rule: 'no orders',
      relations: [{ access: 'read', name: 'sales.orders' }],
    }),
    statement({
      session: 's2',
      ordinal: 2,
      sql: "UPDATE customers SET name = 'x'",
      verdict: 'approve',
      rule: 'writes',
      relations: [{ access: 'write', name: 'public.customers' }],
    }),
    outcome({ session: 's2', statement: 11, status: 'refused', rows: 0, bytes: 0 }),
    {
      type: 'approval-requested',
      v: 1,
      approval: 'a1',
      what: 'statement',
      mode: 'hold',
      session: 's2',
      statement: 11,
      subject: 'bot',
      issuer: 'https://login',
      connection: 'hr',
      database: 'hr',
      role: '',
      rule: 'writes',
      binding: 'ff',
      approvers: [{ groups: ['dba'], subjects: [], count: 1, ticket: null }],
      decideBy: 5,
      useMs: 1000,
    },
    {
      type: 'approval-decided',
      v: 1,
      approval: 'a1',
      by: 'dba',
      issuer: 'https://login',
      kind: 'human',
      groups: ['dba'],
      decision: 'deny',
      reason: 'not now',
    },
    { type: 'session-ended', v: 1, session: 's1', reason: 'client left' },
  ] as const
  // Footers take numbers too, so what refers to a statement is given its number here.
  let held = 0
  for (const event of events) {
    clock.ms += 1_000
    const seq = log.append('statement' in event ? { ...event, statement: held } : event)
    if (event.type === 'statement') held = seq
    log.flush()
  }
  clock.ms += 1_000
  await log.close()
}

describe('the reader', () => {
  const clock = clockAt(0)
  let directory: string
  let footers: number[]

  /** Sequence numbers as sampleLog counts them, footers left out. */
  function place(seq: number): number {
    return seq - footers.filter((footer) => footer < seq).length
  }

  beforeEach(async () => {
    directory = temporaryDirectory()
    clock.ms = 1_000_000
    await sampleLog(directory, clock)
    const reader = await openAuditReader({ directory, update: true })
    footers = await seqsOf(reader, { type: 'segment-closed' })
    await reader.close()
  })

  test('has segments to read over', () => {
    expect(footers.length).toBeGreaterThan(1)
  })

  test('tails newest first', async () => {
    const newest = await (await read(directory)).tail(3)
    const types = newest.map((record) => record.event.type)
    expect(types).toEqual(['log-stopped', 'session-ended', 'approval-decided'])
  })

  test.each<[string, SearchQuery, number[]]>([
    ['subject', { subject: 'ann' }, [15, 9, 8, 4, 3, 2]],
    ['group', { group: 'analysts', type: 'statement' }, [11, 10, 8]],
    ['role', { role: 'analyst', type: 'outcome' }, [12, 9]],
    ['connection', { connection: 'hr', type: 'statement' }, [11, 10]],
    ['verdict deny', { verdict: 'deny' }, [10]],
    ['verdict approve', { verdict: 'approve' }, [11]],
    ['verdict allow', { verdict: 'allow' }, [8]],
    ['rule', { rule: 'no orders' }, [10]],
    ['a full relation name', { relation: 'public.customers' }, [11, 8]],
    ['a bare relation name', { relation: 'orders' }, [10]],
    ['a relation that is only the end of a name', { relation: 'rders' }, []],
    ['session', { session: 's1' }, [15, 9, 8, 4, 3, 2]],
    ['type', { type: 'outcome' }, [12, 9]],
    ['what happened to an approval', { about: 'a1' }, [14, 13]],
    ['words in any case', { text: 'select NAME' }, [8]],
    ['a name with an underscore as one word', { text: 'card_number' }, [8]],
    ['the start of the last word', { text: 'update cust' }, [11]],
    ['a word nowhere', { text: 'invoices' }, []],
    ['text of punctuation only', { text: '"*(' }, []],
    ['quotes and operators as mere words', { text: 'orders" OR "customers' }, []],
    ['quotes in a name', { relation: "' OR 1=1 --" }, []],
    ['since, included', { since: 1_013_000 }, [16, 15, 14]],
    ['until, not included', { until: 1_002_000 }, [2, 1]],
    ['a stretch of time', { since: 1_001_500, until: 1_003_500 }, [4, 3]],
    ['a time after all', { since: 9_000_000 }, []],
    ['several at once', { subject: 'bot', verdict: 'deny', text: 'orders', since: 0 }, [10]],
  ])('finds by %s', async (_name, query, expected) => {
    const all = await seqsOf(await read(directory), query)
    const found = all.filter((seq) => !footers.includes(seq))
    expect(found.map(place)).toEqual(expected)
  })

  test('shows a statement with its outcome and its approval', async () => {
    const reader = await read(directory)
    const [held] = (await reader.search({ verdict: 'approve' })).items
    const types = (await reader.show(held?.seq ?? 0)).map((record) => record.event.type)
    expect(types).toEqual(['statement', 'outcome', 'approval-requested'])
  })

  test('shows a session in order', async () => {
    const { items: records } = await (await read(directory)).showSession('s2')
    expect(records.map((record) => record.event.type)).toEqual([
      'connection-opened',
      'authentication',
      'session-started',
      'statement',
      'statement',
      'outcome',
      'approval-requested',
    ])
  })

  test('says what is not there', async () => {
    const reader = await read(directory)
    const notFound = expect.objectContaining({ code: 'not-found' })
    await expect(reader.show(999)).rejects.toThrow(notFound)
    await expect(reader.showSession('x')).rejects.toThrow(notFound)
  })

  test('lists sessions newest first, with who, when and how much', async () => {
    const { items, next } = await (await read(directory)).sessions({})
    expect(items.map((session) => session.session)).toEqual(['s2', 's1'])
    expect(items[1]).toMatchObject({
      subject: 'ann',
      kind: 'human',
      connection: 'crm',
      client: '127.0.0.1:1',
      application: 'psql',
      startedAt: 1_001_000,
      ended: 'client left',
      statements: 1,
      refused: 0,
      rows: 3,
      bytes: 90,
    })
    expect(items[0]).toMatchObject({ endedAt: null, statements: 2, refused: 2 })
    expect(next).toBeNull()
  })

  test.each([
    [{ subject: 'ann' }, ['s1']],
    [{ connection: 'hr' }, ['s2']],
    [{ live: true }, ['s2']],
    [{ since: 1_004_000 }, ['s2']],
    [{ until: 1_004_000 }, ['s1']],
  ])('lists sessions by %o', async (query, expected) => {
    const { items } = await (await read(directory)).sessions(query)
    expect(items.map((session) => session.session)).toEqual(expected)
  })

  test('pages through everything once, whatever the page size', async () => {
    const reader = await read(directory)
    const all = await seqsOf(reader, { limit: 1_000 })
    for (const limit of [1, 3, 7]) {
      const seen: number[] = []
      let before: number | null = Number.MAX_SAFE_INTEGER
      while (before !== null) {
        const page: Page<AuditRecord> = await reader.search({ limit, before })
        seen.push(...page.items.map((record) => record.seq))
        before = page.next
      }
      expect(seen).toEqual(all)
    }
    const first = await reader.sessions({ limit: 1 })
    const second = await reader.sessions({ limit: 1, before: first.next ?? 0 })
    expect(second.items.map((session) => session.session)).toEqual(['s1'])
    expect(second.next).toBeNull()
    const start = await reader.showSession('s2', { limit: 3 })
    const rest = await reader.showSession('s2', { after: start.next ?? 0 })
    expect(start.items.length + rest.items.length).toBe(7)
  })

  test('refuses a page over the cap', async () => {
    const reader = await read(directory)
    for (const limit of [0, 1_001, 1.5]) {
      const refused = expect.objectContaining({ code: 'invalid-option' })
      await expect(reader.search({ limit })).rejects.toThrow(refused)
    }
  })

  test('does not pass off another record as the one asked for', async () => {
    const reader = await read(directory)
    const file = segmentPath(directory, 1)
    writeFileSync(file, readFileSync(file, 'utf8').replace('"seq":2}', '"seq":7}'))
    await expect(reader.show(2)).rejects.toThrow(expect.objectContaining({ code: 'corrupt' }))
  })

  test('has the same answers from an index built anew', async () => {
    const before = await read(directory)
    const records = (await before.search({ limit: 1_000 })).items
    const { items: sessions } = await before.sessions({})
    await before.close()
    await rebuildIndex(directory)
    const after = await read(directory)
    expect((await after.search({ limit: 1_000 })).items).toEqual(records)
    expect((await after.sessions({})).items).toEqual(sessions)
  })
})

describe('the index', () => {
  test('is not there until it is built', async () => {
    await expect(openAuditReader({ directory: temporaryDirectory() })).rejects.toThrow(
      expect.objectContaining({ code: 'index-unavailable' }),
    )
  })

  test('is built anew when its file is not one', async () => {
    const directory = temporaryDirectory()
    await (await open(directory)).close()
    writeFileSync(join(directory, 'index.db'), 'not a database at all'.repeat(100))
    expect(await updateIndex(directory)).toBe(2)
  })

  test('is built anew when it speaks of records the segments do not hold', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory)
    for (let i = 0; i < 5; i++) log.append(statement())
    await log.close()
    expect(await updateIndex(directory)).toBe(7)
    const file = segmentPath(directory, 1)
    const lines = readFileSync(file, 'utf8').split('\n')
    truncateSync(file, Buffer.byteLength(lines.slice(0, 3).join('\n')) + 1)
    expect(await updateIndex(directory)).toBe(3)
    expect(await (await read(directory)).tail(10)).toHaveLength(3)
  })

  test('waits for the rest of an unfinished line', async () => {
    const directory = temporaryDirectory()
    await (await open(directory)).close()
    const file = segmentPath(directory, 1)
    const whole = readFileSync(file)
    writeFileSync(file, whole.subarray(0, whole.length - 4))
    expect(await updateIndex(directory)).toBe(1)
    writeFileSync(file, whole)
    expect(await updateIndex(directory)).toBe(2)
  })

  test('passes over a line that is no record', async () => {
    const directory = temporaryDirectory()
    await (await open(directory)).close()
    const file = segmentPath(directory, 1)
    writeFileSync(file, `${readFileSync(file, 'utf8')}rubbish\n`)
    expect(await updateIndex(directory)).toBe(2)
  })

  test('does not go by what another indexer has made old', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory)
    const [opened, , started] = opening('s1', 'ann')
    log.append(opened ?? statement())
    log.append({ type: 'cancel', v: 1, session: 's1', source: 'client' })
    log.flush()
    const first = await Indexer.open(directory)
    await first.catchUp()
    log.append(started ?? statement())
    log.flush()
    await updateIndex(directory)
    const seq = log.append(statement())
    log.flush()
    await first.catchUp()
    await first.close()
    expect(await seqsOf(await read(directory), { subject: 'ann', type: 'statement' })).toEqual([
      seq,
    ])
    await log.close()
  })

  test('is kept by two indexers at once without a record lost or doubled', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { index: true, segmentBytes: 20_000 })
    for (let round = 0; round < 20; round++) {
      for (const event of opening(`s${round}`, `subject ${round}`)) log.append(event)
      for (let i = 0; i < 20; i++) {
        log.append(
          outcome({
            session: `s${round}`,
            statement: log.append(statement({ session: `s${round}` })),
          }),
        )
      }
      log.flush()
      await updateIndex(directory)
    }
    await log.indexed()
    const reader = await read(directory)
    expect((await reader.search({ subject: 'subject 19' })).items).toHaveLength(43)
    const { items } = await reader.sessions({})
    expect(items.map((session) => session.statements)).toEqual(Array(20).fill(20))
    await reader.close()
    await log.close()
  })
})

describe('the index worker', () => {
  test('follows a log, and says how far it is', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { index: true })
    const heard: number[] = []
    const stop = log.onIndexed((seq) => heard.push(seq))
    const seq = log.append(statement())
    await log.indexed()
    const reader = await openAuditReader({ directory })
    expect((await reader.tail(1))[0]?.seq).toBe(seq)
    expect(heard.at(-1)).toBe(seq)
    stop()
    await reader.close()
    await log.close()
  })

  test('has everything by the time the log is closed', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { index: true })
    for (let i = 0; i < 500; i++) log.append(statement())
    await log.close()
    const reader = await openAuditReader({ directory })
    expect(await reader.indexedSeq()).toBe(502)
    await reader.close()
  })

  test('catches up with what was written without it', async () => {
    const directory = temporaryDirectory()
    const without = await open(directory, { segmentBytes: 1_000 })
    for (let i = 0; i < 50; i++) {
      without.append(statement())
      without.flush()
    }
    await without.close()
    const log = await open(directory, { index: true })
    await log.indexed()
    const reader = await openAuditReader({ directory })
    expect((await reader.search({ type: 'statement' })).items).toHaveLength(50)
    await reader.close()
    await log.close()
  })

  test('reports a broken index once and the log does not care', async () => {
    const directory = temporaryDirectory()
    const failures: string[] = []
    // A directory where the index file should be cannot be opened nor replaced.
    mkdirSync(join(directory, 'index.db'))
    const log = await open(directory, {
      index: true,
      onIndexFailure: (error) => failures.push(error.code),
    })
    log.append(statement())
    log.flush()
    await expect.poll(() => failures).toEqual(['index-unavailable'])
    expect(log.state).toBe('open')
    rmSync(join(directory, 'index.db'), { recursive: true })
    await log.indexed()
    await log.close()
  })
})
