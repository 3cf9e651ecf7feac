import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { AuditEvent, Tombstone } from '../event.ts'
import { anchorToFile } from '../heads.ts'
import { rebuildIndex } from '../index/indexer.ts'
import { openAuditReader } from '../index/reader.ts'
import { indexPath } from '../index/sqlite-schema.ts'
import { generateSigningKey, loadSigningKey, publicKeyPem } from '../keys.ts'
import type { AuditLog } from '../log.ts'
import { openAuditLog } from '../open.ts'
import { checkInclusion, inclusionProof } from '../proof.ts'
import { recordingPath } from '../recording/recording-file.ts'
import { listSegments, segmentPath } from '../segments.ts'
import { clockAt, publicKeyIn, type TestClock, temporaryDirectory } from '../testing.ts'
import { opening, outcome, statement } from '../testing-events.ts'
import { type VerifyReport, verifyLog } from '../verify.ts'
import { type Pruned, pruneLog } from './prune.ts'
import {
  encodeTombstone,
  listTombstones,
  readTombstone,
  signTombstone,
  tombstonePath,
} from './tombstone.ts'

const DAY_MS = 86_400_000
const KEEP_DAYS = 10

interface Aged {
  readonly root: string
  readonly directory: string
  readonly recordings: string
  readonly anchored: string
  readonly clock: TestClock
  log: AuditLog
  readonly key: string
}

async function openAged(directory: string, clock: TestClock, keepDays = KEEP_DAYS) {
  const anchor = anchorToFile(join(directory, '..', 'anchored.jsonl'))
  const { now } = clock
  return openAuditLog({ directory, now, keepDays, anchor, index: false, segmentBytes: 600 })
}

/** A log that has a session of ann's on day 0, one of bob's on day 5, and goes on on day 20. */
async function aged(between: (log: AuditLog) => Promise<void> | void = () => {}): Promise<Aged> {
  const root = temporaryDirectory()
  const directory = join(root, 'log')
  const clock = clockAt()
  const log = await openAged(directory, clock)
  const key = publicKeyIn(directory)
  session(log, 's1', 'ann', 'SELECT zebra FROM stripes')
  clock.ms += 5 * DAY_MS
  session(log, 's2', 'bob', 'SELECT giraffe FROM necks')
  await between(log)
  // So that the segment which goes on after the pause has nothing of these.
  for (let n = 0; n < 3; n++) write(log, { type: 'config-loaded', v: 1, version: 'x'.repeat(200) })
  await log.signHead()
  clock.ms += 15 * DAY_MS
  write(log, { type: 'config-loaded', v: 1, version: 'now' })
  session(log, 's3', 'cid', 'SELECT lion FROM manes')
  return {
    root,
    directory,
    recordings: join(root, 'recordings'),
    anchored: join(root, 'anchored.jsonl'),
    clock,
    log,
    key,
  }
}

function write(log: AuditLog, event: AuditEvent): number {
  const seq = log.append(event)
  log.flush()
  return seq
}

function session(log: AuditLog, id: string, subject: string, sql: string): void {
  for (const event of opening(id, subject)) write(log, event)
  write(log, outcome({ session: id, statement: write(log, statement({ session: id, sql })) }))
}

const edited = (file: string): string =>
  readFileSync(file, 'utf8').replace('"event":{', '"event":{"a":1,')

function prune({ log, recordings, clock }: Aged, more: object = {}): Promise<Pruned> {
  return pruneLog({ log, recordings, now: clock.ms, by: 'retention', inThread: false, ...more })
}

function verify({ directory, key, anchored }: Aged, heads = true): Promise<VerifyReport> {
  return verifyLog(directory, {
    publicKeys: [key],
    live: true,
    ...(heads && { heads: [anchored] }),
  })
}

async function codesOf(of: Aged): Promise<string[]> {
  return [...new Set((await verify(of)).findings.map(({ code }) => code))]
}

describe('retention', () => {
  test('leaves signed tombstones of what is past its time, and the log verifies over them', async () => {
    const of = await aged()
    const before = listSegments(of.directory)
    const dry = await prune(of, { dryRun: true })
    expect(listSegments(of.directory)).toEqual(before)
    const { removed, keep, more } = await prune(of)
    expect(removed).toEqual(dry.removed)
    expect({ keep, more }).toEqual({ keep: [], more: false })
    expect(removed.length).toBeGreaterThan(3)
    expect(listTombstones(of.directory)).toEqual(removed.map(({ segment }) => segment))
    expect(listSegments(of.directory)).toEqual(
      before.slice(removed.length).concat(...added(of, before)),
    )
    await of.log.close()
    const report = await verify(of)
    expect(report.findings).toEqual([])
    expect(report).toMatchObject({
      removed: {
        segments: removed.length,
        records: removed.reduce((sum, { records }) => sum + records, 0),
        until: removed.at(-1)?.until,
      },
      provenTo: report.lastSeq,
      unproven: [],
    })
    expect(report.removed?.heads).toBeGreaterThan(0)
  })

  function added({ directory }: Aged, before: readonly number[]): number[] {
    return listSegments(directory).filter((one) => !before.includes(one))
  }

  test('removes nothing that is younger, and nothing at all without a policy', async () => {
    const of = await aged()
    await prune(of)
    const { removed } = await prune(of)
    expect(removed).toEqual([])
    const log = await openAuditLog({
      directory: join(of.root, 'other'),
      now: of.clock.now,
      index: false,
    })
    expect((await prune({ ...of, log })).removed).toEqual([])
    await log.close()
    await of.log.close()
  })

  test('goes on over them when it is opened again, and by the thread of its own', async () => {
    const of = await aged()
    expect((await prune(of, { inThread: true })).removed.length).toBeGreaterThan(0)
    await of.log.close()
    of.log = await openAged(of.directory, of.clock)
    of.clock.ms += 20 * DAY_MS
    write(of.log, { type: 'config-loaded', v: 1, version: 'later' })
    write(of.log, { type: 'config-loaded', v: 1, version: 'later' })
    // Now the removals' own records are past their time, too.
    expect((await prune(of)).removed.length).toBeGreaterThan(0)
    await of.log.close()
    of.log = await openAged(of.directory, of.clock)
    await of.log.close()
    expect((await verify(of)).findings).toEqual([])
  })

  test('verifies across a change of keys that was removed', async () => {
    const of = await aged(async (log) => void (await log.rotateKey()))
    expect((await prune(of)).removed.length).toBeGreaterThan(3)
    await of.log.close()
    expect((await verify(of)).findings).toEqual([])
  })

  test('a proof made before stays good; there is none any more', async () => {
    const of = await aged()
    const proof = inclusionProof(of.directory, 5)
    await prune(of)
    expect(checkInclusion(proof, { publicKeys: [of.key] })).toMatchObject({ ok: true })
    expect(() => inclusionProof(of.directory, 5)).toThrow(/record 5 was removed/)
    expect(() => inclusionProof(of.directory, 999)).toThrow(/no signed head covers|no record/)
    await of.log.close()
  })

  test('the index drops what was removed, and says so', async () => {
    const of = await aged()
    const search = async (text: string) => {
      const reader = await openAuditReader({ directory: of.directory, update: true })
      try {
        const [{ items }, sessions] = [await reader.search({ text }), await reader.sessions({})]
        const missing = reader.show(5).then(
          () => 'there',
          (error: Error) => error.message,
        )
        return {
          found: items.length,
          sessions: sessions.items.map((one) => one.session),
          removed: await reader.removed(),
          show: await missing,
        }
      } finally {
        await reader.close()
      }
    }
    expect(await search('zebra')).toMatchObject({ found: 1, removed: [], show: 'there' })
    const { removed } = await prune(of)
    const records = removed.reduce((sum, one) => sum + one.records, 0)
    const after = {
      found: 0,
      sessions: ['s3'],
      removed: [
        {
          gateway: null,
          segments: removed.length,
          records,
          first: 1,
          last: records,
          since: removed[0]?.since,
          until: removed.at(-1)?.until,
          by: expect.any(String),
          at: expect.any(Number),
          keepDays: KEEP_DAYS,
        },
      ],
      show: 'record 5 is past its time and was removed',
    }
    expect(await search('zebra')).toEqual(after)
    expect(await search('lion')).toMatchObject({ found: 1 })
    await of.log.close()
    const bytes = readFileSync(indexPath(of.directory), 'latin1')
    for (const word of ['zebra', 'stripes', 'subject:ann']) expect(bytes).not.toContain(word)
    expect(bytes).toContain('subject:cid')
    // Built again, it says the same.
    await rebuildIndex(of.directory)
    expect(await search('zebra')).toEqual(after)
    expect(await search('lion')).toMatchObject({ found: 1 })
  })
})

describe('retention keeps whole', () => {
  const hold = (target: object, state: 'placed' | 'lifted' = 'placed'): AuditEvent => ({
    type: 'legal-hold',
    v: 1,
    state,
    by: 'counsel',
    reason: 'case 7',
    ...target,
  })
  const dayZero = clockAt().ms

  test.each([
    ['a session', { session: 's1' }],
    ['a subject', { subject: 'ann' }],
    ['a stretch of time', { time: { since: dayZero, until: dayZero + DAY_MS } }],
  ])('every segment with something of %s under a legal hold, until it is lifted', async (_, on) => {
    const of = await aged()
    write(of.log, hold(on))
    const { removed, keep } = await prune(of)
    const first = keep.filter(({ why }) => why === 'legal-hold')
    expect(first.some(({ since }) => since === dayZero)).toBe(true)
    const kept = first.map(({ segment }) =>
      readFileSync(segmentPath(of.directory, segment), 'utf8'),
    )
    expect(kept.join('')).toContain('zebra')
    expect(removed.length).toBeGreaterThan(0)
    write(of.log, hold(on, 'lifted'))
    expect((await prune(of)).removed.length).toBe(keep.length)
    await of.log.close()
    expect((await verify(of)).findings).toEqual([])
  })

  test('the end of a hold as long as its beginning is there', async () => {
    const on = { time: { since: dayZero + 4 * DAY_MS, until: dayZero + 6 * DAY_MS } }
    const of = await aged((log) => {
      write(log, hold({ session: 's2' }))
      write(log, hold({ session: 's2' }, 'lifted'))
    })
    write(of.log, hold(on))
    const { keep } = await prune(of)
    const kept = keep.map(({ segment }) => readFileSync(segmentPath(of.directory, segment), 'utf8'))
    expect(kept.join('')).toContain('"state":"lifted"')
    await of.log.close()
  })

  test('a hold placed while it works', async () => {
    const of = await aged()
    const entomb = of.log.entomb.bind(of.log)
    of.log.entomb = (grave, by) => {
      const tombstone = entomb(grave, by)
      write(of.log, hold({ session: 's2' }))
      return tombstone
    }
    expect(await prune(of)).toMatchObject({ removed: [{ segment: 1 }], more: true })
    await of.log.close()
  })

  test('what proves a recording that is there', async () => {
    const sealed: AuditEvent = {
      type: 'recording-sealed',
      v: 1,
      session: 's2',
      bytes: 1,
      sha256: 'ab'.repeat(32),
      final: true,
    }
    const of = await aged((log) => void write(log, sealed))
    const file = recordingPath(of.recordings, 's2')
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, 'x')
    expect((await prune(of)).keep.map(({ why }) => why)).toEqual(['recordings'])
    rmSync(file)
    expect((await prune(of)).removed).toHaveLength(1)
    await of.log.close()
  })

  test('what an export has not sent', async () => {
    const of = await aged()
    const { removed, keep } = await prune(of, { keepFrom: 3 })
    expect(removed.map(({ segment }) => segment)).toEqual([1, 2])
    expect(new Set(keep.map(({ why }) => why))).toEqual(new Set(['export']))
    await of.log.close()
  })

  test('a segment that is not as it was signed: a tombstone would hide it', async () => {
    const of = await aged()
    const file = segmentPath(of.directory, 2)
    writeFileSync(file, edited(file))
    const changed = readFileSync(file, 'utf8')
    const { keep } = await prune(of)
    expect(keep).toMatchObject([{ segment: 2, why: 'damaged' }])
    expect(readFileSync(file, 'utf8')).toBe(changed)
    await of.log.close()
  })
})

describe('a removal that was broken off', () => {
  /** Segment 1 in every state between being there and being gone. */
  test.each([
    ['after the log has said so', { tombstone: false, draft: false }],
    ['while the tombstone is written', { tombstone: false, draft: true }],
    ['before the segment is deleted', { tombstone: true, draft: false }],
  ])('%s verifies, and is made good', async (_, { tombstone, draft }) => {
    const of = await aged()
    const copy = join(of.root, 'segment')
    copyFileSync(segmentPath(of.directory, 1), copy)
    await prune(of)
    copyFileSync(copy, segmentPath(of.directory, 1))
    const file = tombstonePath(of.directory, 1)
    if (draft) writeFileSync(`${file}.new`, readFileSync(file, 'utf8').slice(0, 50))
    if (!tombstone) rmSync(file)
    expect((await verify(of)).findings).toEqual([])
    expect((await prune(of)).removed).toMatchObject([{ segment: 1 }])
    expect(existsSync(segmentPath(of.directory, 1))).toBe(false)
    expect(existsSync(file)).toBe(true)
    await of.log.close()
    expect((await verify(of)).findings).toEqual([])
  })
})

describe('a process that is killed while it prunes', () => {
  const KEEP_FROM = 3

  /** Prunes a copy of the log, dying at its `deadly`th change; whether it got through. */
  async function killed(of: Aged, root: string, deadly: number): Promise<boolean> {
    const directory = join(root, 'log')
    cpSync(of.root, root, { recursive: true })
    const script = join(import.meta.dirname, 'testing-killed.ts')
    const numbers = [of.clock.ms, KEEP_DAYS, KEEP_FROM, deadly].map(String)
    const child = spawn(process.execPath, [script, directory, ...numbers], { stdio: 'ignore' })
    const [code, signal] = await once(child, 'exit')
    expect([code, signal]).toEqual(code === 0 ? [0, null] : [null, 'SIGKILL'])
    return code === 0
  }

  test('leaves a log that verifies, and that the next run prunes, wherever it was', async () => {
    const of = await aged()
    await of.log.close()
    let deadly = 0
    let throughAt = Number.POSITIVE_INFINITY
    const lane = async (): Promise<void> => {
      for (let n = ++deadly; n < throughAt; n = ++deadly) {
        const root = temporaryDirectory()
        const here = { ...of, root, directory: join(root, 'log') }
        if (await killed(of, root, n)) throughAt = Math.min(throughAt, n)
        expect([n, (await verify(here)).findings]).toEqual([n, []])
        here.log = await openAged(here.directory, of.clock)
        await prune(here, { keepFrom: KEEP_FROM })
        await here.log.close()
        expect([n, listTombstones(here.directory)]).toEqual([n, [1, 2]])
        expect([n, listSegments(here.directory)[0]]).toEqual([n, 3])
        const report = await verify(here)
        expect([n, report.findings, report.removed?.segments]).toEqual([n, [], 2])
      }
    }
    await Promise.all([lane(), lane()])
    // Two segments: a record, a tombstone and a deletion each, at the least.
    expect(throughAt).toBeGreaterThan(10)
  }, 180_000)
})

describe('verification over tombstones', () => {
  /** A log without its first segments, to be tampered with, and what those were. */
  async function pruned(): Promise<Aged & { readonly segments: string }> {
    const of = await aged()
    const segments = join(of.root, 'before')
    cpSync(of.directory, segments, { recursive: true })
    await prune(of)
    await of.log.close()
    return { ...of, segments }
  }

  function resign(of: Aged, change: (tombstone: Tombstone) => Partial<Tombstone>, file?: string) {
    const key = loadSigningKey({
      file: file ?? join(of.directory, 'signing-key.pem'),
      create: false,
    })
    const tombstone = readTombstone(of.directory, 2)
    if (!tombstone) throw new Error('no tombstone')
    const { v: _, keyId: __, signature: ___, ...unsigned } = tombstone
    const forged = signTombstone({ ...unsigned, ...change(tombstone) }, key)
    writeFileSync(tombstonePath(of.directory, 2), encodeTombstone(forged))
  }

  test('detects a change of any single byte of a tombstone', async () => {
    const of = await pruned()
    const file = tombstonePath(of.directory, 2)
    const bytes = readFileSync(file)
    const missed: number[] = []
    for (let at = 0; at < bytes.length; at += 5) {
      const changed = Buffer.from(bytes)
      changed[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
      writeFileSync(file, changed)
      if ((await verify(of, false)).ok) missed.push(at)
    }
    expect(missed).toEqual([])
  })

  test('detects one that is signed by another key', async () => {
    const of = await pruned()
    const other = join(of.root, 'other.pem')
    generateSigningKey(other)
    resign(of, () => ({}), other)
    expect(await codesOf(of)).toContain('unknown-key')
    const both = [of.key, publicKeyPem(loadSigningKey({ file: other, create: false }))]
    const { findings } = await verifyLog(of.directory, { publicKeys: both, live: true })
    expect(findings.map(({ code }) => code)).toContain('tombstone-unrecorded')
  })

  test.each<[string, (tombstone: Tombstone) => Partial<Tombstone>, string]>([
    ['who removed it', () => ({ by: 'nobody' }), 'tombstone-unrecorded'],
    ['a time before its time', ({ at }) => ({ at: at - 12 * DAY_MS }), 'tombstone-early'],
    ['a shorter policy', () => ({ keepDays: 1 }), 'tombstone-unrecorded'],
    [
      'another place in the chain',
      ({ first }) => ({ first: { ...first, prev: 'a'.repeat(64) } }),
      'tombstone-mismatch',
    ],
  ])('detects one signed by the log’s own key that says otherwise: %s', async (_, change, code) => {
    const of = await pruned()
    resign(of, change)
    expect(await codesOf(of)).toContain(code)
  })

  test('detects a removal by a shorter policy than the log says is in force', async () => {
    const of = await aged()
    // Whoever has the key in hand writes into the log itself.
    const entomb = of.log.entomb.bind(of.log)
    Object.defineProperty(of.log, 'keepDays', { get: () => 3 })
    of.log.entomb = entomb
    expect((await prune(of)).removed.length).toBeGreaterThan(0)
    await of.log.close()
    expect(await codesOf(of)).toEqual(['tombstone-early'])
  })

  test('detects a segment that is gone without one, at either end and between', async () => {
    const of = await pruned()
    for (const segment of listTombstones(of.directory)) {
      const file = tombstonePath(of.directory, segment)
      const text = readFileSync(file)
      rmSync(file)
      expect((await verify(of)).ok, String(segment)).toBe(false)
      writeFileSync(file, text)
    }
    for (const segment of listSegments(of.directory)) {
      const file = segmentPath(of.directory, segment)
      const text = readFileSync(file)
      rmSync(file)
      expect((await verify(of)).ok, String(segment)).toBe(false)
      writeFileSync(file, text)
    }
    expect((await verify(of)).findings).toEqual([])
  })

  test('detects one beside a segment that was edited, or is another’s', async () => {
    const of = await pruned()
    const file = segmentPath(of.directory, 2)
    copyFileSync(segmentPath(of.segments, 2), file)
    expect((await verify(of)).findings).toEqual([])
    writeFileSync(file, edited(file))
    expect((await verify(of)).ok).toBe(false)
    copyFileSync(segmentPath(of.segments, 2), file)
    copyFileSync(tombstonePath(of.directory, 1), tombstonePath(of.directory, 2))
    expect(await codesOf(of)).toContain('tombstone-unreadable')
  })

  test('detects heads of removed records that were made up', async () => {
    const of = await pruned()
    for (const name of readdirSync(of.root).filter((one) => one.endsWith('.jsonl'))) {
      const lines = readFileSync(join(of.root, name), 'utf8').split('\n')
      writeFileSync(join(of.root, name), [lines[1], lines[0], ...lines.slice(2)].join('\n'))
    }
    expect((await verify(of)).ok).toBe(false)
  })
})
