import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { AuditEvent } from '../event.ts'
import { rebuildIndex } from '../index/indexer.ts'
import { openAuditReader } from '../index/reader.ts'
import { indexPath } from '../index/sqlite-schema.ts'
import { openAuditLog } from '../open.ts'
import { checkInclusion, inclusionProof } from '../proof.ts'
import { recordingPath } from '../recording/recording-file.ts'
import { listSegments, segmentPath } from '../segments.ts'
import { clockAt } from '../testing.ts'
import {
  type Aged,
  aged,
  DAY_MS,
  edited,
  KEEP_DAYS,
  openAged,
  prune,
  verify,
  write,
} from './testing-aged.ts'
import { listTombstones } from './tombstone.ts'

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
