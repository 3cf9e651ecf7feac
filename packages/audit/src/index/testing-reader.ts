/** What every index is asked in the tests, whatever keeps it. Not exported. */

import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { openAuditLog } from '../open.ts'
import type { AuditRecord } from '../record.ts'
import { clockAt, type TestClock, temporaryDirectory } from '../testing.ts'
import { opening, outcome, statement } from '../testing-events.ts'
import type { AuditReader, Page } from './reader.ts'
import type { SearchQuery } from './search.ts'

export async function seqsOf(reader: AuditReader, query: SearchQuery): Promise<number[]> {
  return (await reader.search(query)).items.map((record) => record.seq)
}

/**
 * Sequence numbers: 1 log-started, 2-4 s1 of ann on crm, 5-7 s2 of bot on hr, then
 * 8 ann reads customers, 9 its outcome, 10 bot is denied orders, 11 bot's held update, 12 its outcome,
 * 13 approval-requested, 14 approval-decided, 15 s1 ends, 16 log-stopped. One second between records.
 */
export async function sampleLog(directory: string, clock: TestClock): Promise<void> {
  const log = await openAuditLog({ directory, now: clock.now, segmentBytes: 1_500, index: false })
  const events = [
    ...opening('s1', 'ann'),
    ...opening('s2', 'bot', 'hr').map((event) =>
      event.type === 'session-started'
        ? { ...event, graph: 'support', node: 'research', run: 'run-7' }
        : event,
    ),
    statement({
      sql: 'SELECT Name, card_number FROM customers',
      session: 's1',
      masks: ['public.customers.card_number'],
      fingerprint: 'f00d'.repeat(8),
    }),
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

/** An engine's index: of everything in a directory's log, and nothing else. */
export type ReadIndexed = (directory: string) => Promise<AuditReader>

/** What every index answers, whatever keeps it. */
export function describeReader(readIndexed: ReadIndexed): void {
  const clock = clockAt(0)
  let directory: string
  let footers: number[]

  async function read(directory: string): Promise<AuditReader> {
    const reader = await readIndexed(directory)
    onTestFinished(() => reader.close())
    return reader
  }

  /** Sequence numbers as sampleLog counts them, footers left out. */
  function place(seq: number): number {
    return seq - footers.filter((footer) => footer < seq).length
  }

  beforeEach(async () => {
    directory = temporaryDirectory()
    clock.ms = 1_000_000
    await sampleLog(directory, clock)
    const reader = await readIndexed(directory)
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
    ['graph', { graph: 'support', type: 'statement' }, [11, 10]],
    ['node', { node: 'research', type: 'outcome' }, [12]],
    ['run', { run: 'run-7', verdict: 'approve' }, [11]],
    ['another run', { run: 'run-8' }, []],
    ['masked column', { column: 'public.customers.card_number' }, [8]],
    ['fingerprint', { fingerprint: 'f00d'.repeat(8) }, [8]],
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
    [{ node: 'research', graph: 'support', run: 'run-7' }, ['s2']],
    [{ column: 'public.customers.card_number' }, ['s1']],
    [{ fingerprint: 'f00d'.repeat(8) }, ['s1']],
    [{ relation: 'orders', verdict: 'deny' as const }, ['s2']],
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

  test('goes on behind a place, oldest first', async () => {
    const reader = await read(directory)
    const newest = await reader.newest()
    const seen: number[] = []
    let at = 0
    for (;;) {
      const page = await reader.since(at)
      seen.push(...page.items.map(({ seq }) => seq))
      if (page.next === null) break
      at = page.next
    }
    expect(at).toBe(newest)
    expect(seen).toEqual((await seqsOf(reader, { limit: 1_000 })).reverse())
  })
}
