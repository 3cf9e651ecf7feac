import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { SignedHead } from './event.ts'
import { decodeHead, HEADS_FILE, linkBehind, newestHead } from './heads.ts'
import { dropOldHeads } from './old-heads.ts'
import { openAuditLog } from './open.ts'
import { checkInclusion, inclusionProof } from './proof.ts'
import { listSegments } from './segments.ts'
import { clockAt, publicKeyIn, temporaryDirectory } from './testing.ts'
import { verifyLog } from './verify.ts'

const linesOf = (directory: string): string[] =>
  readFileSync(join(directory, HEADS_FILE), 'utf8').trim().split('\n')

/** Of each head in heads.jsonl. */
const segmentsOf = (directory: string): (number | undefined)[] =>
  linesOf(directory).map((line) => decodeHead(line)?.segment)

/** A footer that names the newest head. */
const footerBehind = (directory: string): SignedHead => {
  const newest = newestHead(join(directory, HEADS_FILE))
  if (newest?.v !== 2) throw new Error('there is no head')
  return { ...newest, ...linkBehind(newest) }
}

async function open(directory: string) {
  const { now } = clockAt()
  return openAuditLog({ directory, now, index: false, segmentBytes: 2_000 })
}

test('heads of closed segments leave heads.jsonl, and nothing is less proven', async () => {
  const directory = temporaryDirectory()
  for (const life of [1, 2]) {
    const log = await open(directory)
    for (let n = 0; n < 40; n++) {
      log.append({ type: 'config-loaded', v: 1, version: `${life}.${n}`.padEnd(100, 'x') })
      log.flush()
      await log.signHead()
    }
    await log.close()
  }
  const segments = listSegments(directory)
  expect(segments.length).toBeGreaterThan(6)
  const kept = segmentsOf(directory)
  // That which the newest footer names, of the segment it closed, and those since.
  expect(kept.slice(0, 2)).toEqual(segments.slice(-2))
  expect(new Set(kept.slice(1))).toEqual(new Set(segments.slice(-1)))
  const publicKeys = [publicKeyIn(directory)]
  const report = await verifyLog(directory, { publicKeys })
  expect(report.findings).toEqual([])
  expect(report.unproven).toEqual([{ kind: 'tail-without-outside-heads', after: 0 }])
  for (const seq of [3, 40, report.records]) {
    expect(checkInclusion(inclusionProof(directory, seq), { publicKeys })).toMatchObject({
      ok: true,
    })
  }
})

test('what is no head stays, with all behind it', async () => {
  const directory = temporaryDirectory()
  await (await open(directory)).close()
  const file = join(directory, HEADS_FILE)
  const footer = footerBehind(directory)
  const [first = '', ...rest] = linesOf(directory)
  const kept = ['{"segment":"1"}', ...rest, ''].join('\n')
  writeFileSync(file, `${first}\n${kept}`)
  const dropped = await dropOldHeads(directory, footer)
  dropped?.write(Buffer.from(`${first}\n`), { sync: false })
  dropped?.close()
  expect(readFileSync(file, 'utf8')).toBe(`${kept}${first}\n`)
  expect(await dropOldHeads(directory, footer)).toBeNull()
  expect(existsSync(`${file}.new`)).toBe(false)
})

test('a draft that a killed process left is written over', async () => {
  const directory = temporaryDirectory()
  await (await open(directory)).close()
  const file = join(directory, HEADS_FILE)
  appendFileSync(`${file}.new`, 'x'.repeat(10_000))
  const newest = linesOf(directory).at(-1)
  const dropped = await dropOldHeads(directory, footerBehind(directory))
  dropped?.close()
  expect(readFileSync(file, 'utf8')).toBe(`${newest}\n`)
})
