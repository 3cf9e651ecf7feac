import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { canonicalJson } from './canonical.ts'
import type { SignedHead } from './event.ts'
import { anchorToFile, decodeHead, HEADS_FILE, linkBehind, signHead } from './heads.ts'
import { generateSigningKey, loadSigningKey, publicKeyPem } from './keys.ts'
import { leafHash, NO_HASH } from './merkle.ts'
import { openAuditLog } from './open.ts'
import { segmentPath } from './segments.ts'
import { clockAt, publicKeyIn, temporaryDirectory, unsigned } from './testing.ts'
import { outcome, statement } from './testing-events.ts'
import { type VerifyReport, verifyLog } from './verify.ts'

/** Two closed segments and an open one, a head over the last record. */
async function sampleLog(directory: string): Promise<string> {
  const clock = clockAt()
  const anchor = anchorToFile(join(directory, '..', 'anchored.jsonl'))
  const log = await openAuditLog({
    directory,
    now: clock.now,
    segmentBytes: 400,
    index: false,
    anchor,
  })
  const events = [
    statement({ sql: 'SELECT 1 -- ü\n', relations: [], effects: [] }),
    outcome({ statement: 2 }),
    outcome({ statement: 2, status: 'error', sqlstate: '57014' }),
    outcome({ statement: 2 }),
  ]
  for (const event of events) {
    clock.ms += 5
    log.append(event)
    log.flush()
  }
  await log.close()
  return publicKeyIn(directory)
}

function filesOf(directory: string): string[] {
  return [1, 2, 3].map((segment) => segmentPath(directory, segment))
}

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').slice(0, -1)
}

function writeLines(file: string, lines: readonly string[]): void {
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
}

/** Changes every statement and makes the chain fit again, as whoever lacks the key can. */
function rechain(directory: string): void {
  let prev = '0'.repeat(64)
  for (const file of filesOf(directory)) {
    const forged = linesOf(file).map((line) => {
      const record = JSON.parse(line.replaceAll('SELECT', 'DELETE')) as object
      const text = canonicalJson({ ...record, prev })
      prev = leafHash(Buffer.from(text))
      return text
    })
    writeLines(file, forged)
  }
}

function codesOf(report: VerifyReport): string[] {
  return report.findings.map((finding) => finding.code)
}

describe('verifyLog', () => {
  let root: string
  let pristine: string
  let key: string

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'sallyport-audit-verify-'))
    pristine = join(root, 'log')
    key = await sampleLog(pristine)
    return () => rmSync(root, { recursive: true })
  })

  /** A copy of the sample log to damage. */
  function fresh(): string {
    const directory = join(temporaryDirectory(), 'log')
    cpSync(pristine, directory, { recursive: true })
    return directory
  }

  function verify(directory: string, heads?: string): Promise<VerifyReport> {
    return verifyLog(
      directory,
      heads ? { publicKeys: [key], heads: [heads] } : { publicKeys: [key] },
    )
  }

  test('finds nothing in a log as it was written, and proves all of it', async () => {
    const report = await verify(pristine)
    expect(report).toMatchObject({ ok: true, segments: 3, records: 8, lastSeq: 8, provenTo: 8 })
    expect(report.unproven).toEqual([{ kind: 'tail-without-outside-heads', after: 0 }])
  })

  test('has nothing left unproven when heads were kept elsewhere', async () => {
    const report = await verify(pristine, join(root, 'anchored.jsonl'))
    expect(report).toMatchObject({ ok: true, unproven: [] })
  })

  test.each([0, 1, 2, 3])('detects a change of any single byte of file %i', async (index) => {
    const directory = fresh()
    const file = [...filesOf(directory), join(directory, HEADS_FILE)][index] ?? ''
    const bytes = readFileSync(file)
    const missed: number[] = []
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
      writeFileSync(file, changed)
      if ((await verify(directory)).ok) missed.push(at)
    }
    expect(missed).toEqual([])
  })

  test('names the record of which a byte was changed', async () => {
    for (const [index, file] of filesOf(pristine).entries()) {
      const lines = linesOf(file)
      for (const [line, text] of lines.entries()) {
        const directory = fresh()
        const seq = (JSON.parse(text) as { seq: number }).seq
        const changed = lines.with(line, text.replace('"event":{', '"event":{"a":1,'))
        writeLines(filesOf(directory)[index] ?? '', changed)
        const [finding] = (await verify(directory)).findings
        expect(finding).toMatchObject({ seq })
      }
    }
  })

  test('names the record whose link to the one before was changed', async () => {
    const directory = fresh()
    const [file = ''] = filesOf(directory)
    const lines = linesOf(file)
    const changed = (lines[1] ?? '').replace(/"prev":"./, '"prev":"_').replace('_', '0')
    const other = (lines[1] ?? '').replace(/"prev":"./, '"prev":"1')
    writeLines(file, lines.with(1, changed === lines[1] ? other : changed))
    expect((await verify(directory)).findings[0]).toMatchObject({
      code: 'changed',
      seq: 2,
      line: 2,
    })
  })

  test('detects the removal of any line', async () => {
    for (const [index, file] of filesOf(pristine).entries()) {
      const lines = linesOf(file)
      for (const line of lines.keys()) {
        const directory = fresh()
        writeLines(filesOf(directory)[index] ?? '', lines.toSpliced(line, 1))
        expect((await verify(directory)).ok).toBe(false)
      }
    }
  })

  test('names the records that are missing', async () => {
    const directory = fresh()
    const file = filesOf(directory)[2] ?? ''
    writeLines(file, linesOf(file).slice(1))
    expect((await verify(directory)).findings[0]).toMatchObject({
      code: 'missing',
      message: 'records 7 to 7 are missing',
      seq: 8,
    })
  })

  test('detects any two neighbours swapped', async () => {
    for (const [index, file] of filesOf(pristine).entries()) {
      const lines = linesOf(file)
      for (let line = 1; line < lines.length; line++) {
        const directory = fresh()
        const [a = '', b = ''] = lines.slice(line - 1, line + 1)
        writeLines(filesOf(directory)[index] ?? '', lines.with(line - 1, b).with(line, a))
        expect((await verify(directory)).ok).toBe(false)
      }
    }
  })

  test('detects a record inserted again or made up anywhere', async () => {
    for (const [index, file] of filesOf(pristine).entries()) {
      const lines = linesOf(file)
      for (let line = 0; line <= lines.length; line++) {
        for (const extra of [lines[0] ?? '', '{}', '']) {
          const directory = fresh()
          writeLines(filesOf(directory)[index] ?? '', lines.toSpliced(line, 0, extra))
          expect((await verify(directory)).ok).toBe(false)
        }
      }
    }
  })

  test('detects a cut at any byte of any segment', async () => {
    for (const [index, file] of filesOf(pristine).entries()) {
      const directory = fresh()
      const damaged = filesOf(directory)[index] ?? ''
      const { length } = readFileSync(file)
      for (let size = length - 1; size >= 0; size -= 7) {
        truncateSync(damaged, size)
        expect((await verify(directory)).ok).toBe(false)
      }
    }
  })

  test('says how far the signed heads reach when the tail was cut', async () => {
    const directory = fresh()
    const file = filesOf(directory)[2] ?? ''
    writeLines(file, linesOf(file).slice(0, -1))
    const report = await verify(directory)
    expect(report.findings).toMatchObject([
      { code: 'cut', message: 'signed up to record 8, but the last record is 7' },
    ])
  })

  test('detects a segment that is missing, first, middle or last', async () => {
    for (const file of filesOf('')) {
      const directory = fresh()
      rmSync(join(directory, file))
      expect((await verify(directory)).ok).toBe(false)
    }
  })

  test('detects segments that changed places', async () => {
    const directory = fresh()
    const [one = '', two = ''] = filesOf(directory)
    renameSync(one, `${one}.moved`)
    renameSync(two, one)
    renameSync(`${one}.moved`, two)
    expect((await verify(directory)).ok).toBe(false)
  })

  test('detects something behind a footer', async () => {
    const directory = fresh()
    const [file = ''] = filesOf(directory)
    appendFileSync(file, '\n')
    expect(codesOf(await verify(directory))).toContain('after-footer')
  })

  test('detects a log whose every hash was recomputed without the key', async () => {
    const directory = fresh()
    rechain(directory)
    const codes = new Set(codesOf(await verify(directory)))
    expect([...codes]).toEqual(['head-mismatch'])
  })

  test('detects the same by the footers alone, when heads.jsonl is gone', async () => {
    const directory = fresh()
    rechain(directory)
    rmSync(join(directory, HEADS_FILE))
    const { findings } = await verify(directory)
    expect(findings).toMatchObject([
      { code: 'head-mismatch', seq: 3 },
      { code: 'head-mismatch', seq: 6 },
      { code: 'head-missing', seq: 6 },
    ])
  })

  test('detects a head that is well signed over another tree', async () => {
    const directory = fresh()
    const signer = loadSigningKey({ file: join(directory, 'signing-key.pem'), create: false })
    const heads = join(directory, HEADS_FILE)
    for (const change of [{ root: '0'.repeat(64) }, { records: 1 }, { segment: 2 }]) {
      const lines = linesOf(join(pristine, HEADS_FILE))
      const head = unsigned(decodeHead(lines.at(-1) ?? ''))
      const other = signHead({ ...head, ...change }, signer)
      writeLines(heads, lines.with(-1, canonicalJson(other)))
      expect(codesOf(await verify(directory))).toEqual(['head-mismatch'])
    }
  })

  test('detects heads signed with another key', async () => {
    const directory = fresh()
    const file = join(directory, 'other.pem')
    generateSigningKey(file)
    const other = loadSigningKey({ file, create: false })
    const heads = join(directory, HEADS_FILE)
    let link = { heads: 0, previous: NO_HASH }
    const lines = linesOf(heads).map((line) => {
      const head = signHead({ ...unsigned(decodeHead(line)), ...link }, other)
      link = linkBehind(head)
      return canonicalJson(head)
    })
    writeLines(heads, lines)
    expect(codesOf(await verify(directory))).toContain('unknown-key')
    const both = await verifyLog(directory, { publicKeys: [key, publicKeyPem(other)] })
    // Well signed, and not those that were: a footer names one.
    expect(new Set(codesOf(both))).toEqual(new Set(['head-mismatch']))
  })

  test('detects a signature that belongs to another head', async () => {
    const directory = fresh()
    const heads = join(directory, HEADS_FILE)
    const lines = linesOf(heads)
    const signature = /"signature":"[^"]*"/
    const anchored = linesOf(join(root, 'anchored.jsonl'))
    const borrowed = signature.exec(anchored.at(-1) ?? '')?.[0] ?? ''
    writeLines(heads, lines.with(0, (lines[0] ?? '').replace(signature, borrowed)))
    expect(codesOf(await verify(directory))).toEqual(['bad-signature'])
  })

  test('detects time going backwards even where the chain holds', async () => {
    const directory = temporaryDirectory()
    const clock = clockAt()
    const log = await openAuditLog({ directory, now: clock.now, index: false })
    log.append(statement())
    await log.close()
    const file = segmentPath(directory, 1)
    let prev = '0'.repeat(64)
    const lines = linesOf(file).map((line, i) => {
      const text = canonicalJson({ ...(JSON.parse(line) as object), at: clock.ms - i, prev })
      prev = leafHash(Buffer.from(text))
      return text
    })
    writeLines(file, lines)
    rmSync(join(directory, HEADS_FILE))
    const report = await verifyLog(directory, { publicKeys: [publicKeyIn(directory)] })
    expect(codesOf(report)).toEqual(['time-backwards', 'time-backwards'])
    expect(report.unproven).toContainEqual({ kind: 'nothing-signed' })
  })

  test('cannot see records cut together with their heads, unless heads were kept elsewhere', async () => {
    const directory = fresh()
    rmSync(filesOf(directory)[2] ?? '')
    const heads = join(directory, HEADS_FILE)
    writeLines(heads, linesOf(join(root, 'anchored.jsonl')).slice(0, 1))
    const alone = await verify(directory)
    expect(alone.ok).toBe(true)
    expect(alone.unproven).toContainEqual({ kind: 'tail-without-outside-heads', after: 0 })
    const anchored = await verify(directory, join(root, 'anchored.jsonl'))
    expect(codesOf(anchored)).toEqual(['cut'])
  })

  test('says how far heads kept elsewhere reach, when they end before the log does', async () => {
    const anchored = linesOf(join(root, 'anchored.jsonl'))
    const some = join(temporaryDirectory(), 'some.jsonl')
    for (const count of [0, 1]) {
      writeLines(some, anchored.slice(0, count))
      const { seq: after } =
        count === 0 ? { seq: 0 } : (JSON.parse(anchored[0] ?? '') as SignedHead)
      const report = await verify(pristine, some)
      expect(report.ok).toBe(true)
      expect(report.unproven).toEqual([{ kind: 'tail-without-outside-heads', after }])
    }
  })

  test('says which records no head speaks of yet', async () => {
    const directory = temporaryDirectory()
    const log = await openAuditLog({ directory, now: clockAt().now, index: false })
    log.append(statement())
    log.flush()
    const options = { publicKeys: [publicKeyIn(directory)], live: true }
    const report = await verifyLog(directory, options)
    expect(report.unproven).toContainEqual({ kind: 'after-last-head', from: 2, to: 2 })
    await log.close()
  })

  test('takes an unfinished last line for damage, unless a log is writing there', async () => {
    const directory = fresh()
    appendFileSync(filesOf(directory)[2] ?? '', '{"at":17')
    expect(codesOf(await verify(directory))).toEqual(['torn'])
    expect((await verifyLog(directory, { publicKeys: [key], live: true })).ok).toBe(true)
  })

  test('counts findings beyond those it lists', async () => {
    const directory = fresh()
    const garbage = Array.from({ length: 150 }, () => 'x')
    writeLines(filesOf(directory)[2] ?? '', garbage)
    const report = await verify(directory)
    expect(report.findings).toHaveLength(100)
    expect(report.findingsTotal).toBeGreaterThan(150)
  })

  test('refuses a directory without a log', async () => {
    const empty = temporaryDirectory()
    copyFileSync(join(pristine, HEADS_FILE), join(empty, HEADS_FILE))
    await expect(verify(empty)).rejects.toMatchObject({ code: 'not-found' })
  })
})
