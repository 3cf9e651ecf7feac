import { copyFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Tombstone } from '../event.ts'
import { generateSigningKey, loadSigningKey, publicKeyPem } from '../keys.ts'
import { listSegments, segmentPath } from '../segments.ts'
import { verifyLog } from '../verify.ts'
import { type Aged, aged, codesOf, DAY_MS, edited, prune, verify } from './testing-aged.ts'
import {
  encodeTombstone,
  listTombstones,
  readTombstone,
  signTombstone,
  tombstonePath,
} from './tombstone.ts'

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
