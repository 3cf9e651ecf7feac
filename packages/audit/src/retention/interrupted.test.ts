import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { listSegments, segmentPath } from '../segments.ts'
import { temporaryDirectory } from '../testing.ts'
import { type Aged, aged, KEEP_DAYS, openAged, prune, verify } from './testing-aged.ts'
import { listTombstones, tombstonePath } from './tombstone.ts'

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
