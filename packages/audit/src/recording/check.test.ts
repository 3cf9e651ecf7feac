import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { AuditEvent } from '../event.ts'
import { openAuditLog } from '../open.ts'
import { publicKeyIn, temporaryDirectory } from '../testing.ts'
import { type VerifyReport, verifyLog } from '../verify.ts'
import { journalPath } from './journal.ts'
import { recordingKeyPath, recordingPath } from './recording-file.ts'
import { Recordings } from './recordings.ts'

/** A log with two finished recordings and one that is not. */
async function sample(directory: string, erased: readonly AuditEvent[] = []): Promise<string> {
  const log = await openAuditLog({ directory, now: Date.now, index: false })
  const recordings = new Recordings({
    directory: join(directory, 'recordings'),
    now: Date.now,
    key: Buffer.alloc(32, 1),
    record: (events) => {
      for (const event of events) log.append(event)
      log.flush()
    },
    onFailure: () => {},
  })
  for (const session of ['aaaa-1', 'aaaa-2', 'bbbb-3']) {
    const open = {
      session,
      protocol: 'postgres',
      connection: 'c',
      database: 'c',
      subject: 's',
    } as const
    const recording = recordings.open(open)
    recording.output(Buffer.from(`rows of ${session}`), 0, 14)
    if (session !== 'bbbb-3') recording.end('done')
  }
  await recordings.close()
  for (const event of erased) log.append(event)
  await log.close()
  return publicKeyIn(directory)
}

describe('verification of recordings', () => {
  let directory: string
  let recordings: string
  let publicKey: string
  let original: Buffer
  const file = () => recordingPath(recordings, 'aaaa-1')

  function verify(): Promise<VerifyReport> {
    return verifyLog(directory, { publicKeys: [publicKey], recordings })
  }
  const codes = async () => (await verify()).findings.map(({ code }) => code)

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-check-'))
    recordings = join(directory, 'recordings')
    publicKey = await sample(directory)
    original = readFileSync(file())
    return () => rmSync(directory, { recursive: true })
  })
  beforeEach(() => writeFileSync(file(), original))

  test('finds nothing wrong with what was written', async () => {
    expect(await verify()).toMatchObject({ ok: true, recordings: 3 })
  })

  test('detects a change of any single byte', async () => {
    for (let at = 0; at < original.length; at++) {
      const changed = Buffer.from(original)
      changed[at] = (changed[at] ?? 0) ^ 1
      writeFileSync(file(), changed)
      expect(await codes(), `byte ${at}`).toEqual(['recording-changed'])
    }
  })

  test('detects a cut at any byte, and anything added', async () => {
    for (let length = 0; length < original.length; length++) {
      writeFileSync(file(), original.subarray(0, length))
      expect(await codes(), `cut to ${length}`).toEqual(['recording-changed'])
    }
    writeFileSync(file(), Buffer.concat([original, Buffer.from([0])]))
    expect(await codes()).toEqual(['recording-changed'])
  })

  test('detects two recordings exchanged', async () => {
    const other = recordingPath(recordings, 'aaaa-2')
    const kept = readFileSync(other)
    copyFileSync(other, file())
    writeFileSync(other, original)
    expect(await codes()).toEqual(['recording-changed', 'recording-changed'])
    writeFileSync(other, kept)
  })

  test('detects a recording that is gone, one nobody wrote, and one in the wrong place', async () => {
    rmSync(file())
    expect(await codes()).toEqual(['recording-missing'])
    writeFileSync(file(), original)
    const foreign = join(recordings, 'aa', 'aaaa-9.rec')
    writeFileSync(foreign, original)
    expect(await codes()).toEqual(['recording-unknown'])
    mkdirSync(join(recordings, 'zz'))
    renameSync(foreign, join(recordings, 'zz', 'aaaa-1.rec'))
    expect(await codes()).toEqual(['recording-unknown'])
    rmSync(join(recordings, 'zz'), { recursive: true })
  })

  test('detects what follows an unfinished recording of a log that was closed', async () => {
    const unfinished = recordingPath(recordings, 'bbbb-3')
    const kept = readFileSync(unfinished)
    writeFileSync(unfinished, Buffer.concat([kept, Buffer.from('more')]))
    expect(await codes()).toEqual(['recording-changed'])
    writeFileSync(unfinished, kept)
  })

  test('says that the end of an unfinished recording is not proven while it may go on', async () => {
    const unfinished = recordingPath(recordings, 'bbbb-3')
    const kept = readFileSync(unfinished)
    const tails = { kind: 'recording-tails', recordings: 1 }
    writeFileSync(unfinished, Buffer.concat([kept, Buffer.from('more')]))
    // A journal is left to be taken apart.
    const journal = journalPath(recordings, 9)
    writeFileSync(journal, '')
    const report = await verify()
    expect(report.ok).toBe(true)
    expect(report.unproven).toContainEqual(tails)
    rmSync(journal)
    // The process was killed before it could close its log.
    const segment = join(directory, '00000001.jsonl')
    const lines = readFileSync(segment, 'utf8')
    const heads = join(directory, 'heads.jsonl')
    const headLines = readFileSync(heads, 'utf8')
    writeFileSync(segment, lines.replace(/[^\n]*\n$/, ''))
    writeFileSync(heads, headLines.replace(/[^\n]*\n$/, ''))
    const killed = await verify()
    expect(killed.findings).toEqual([])
    expect(killed.unproven).toContainEqual(tails)
    writeFileSync(unfinished, kept)
    writeFileSync(segment, lines)
    writeFileSync(heads, headLines)
  })

  test('takes a record that names no session for damage', async () => {
    const segment = join(directory, '00000001.jsonl')
    const lines = readFileSync(segment, 'utf8')
    const sealed = /"session":"aaaa-1"(,"sha256")/
    for (const id of ['aaaa;1', '../../aaaa-1', '']) {
      writeFileSync(segment, lines.replace(sealed, `"session":"${id}"$1`))
      expect(await codes(), id).toEqual(expect.arrayContaining(['changed', 'recording-missing']))
    }
    writeFileSync(segment, lines)
  })

  test('needs no key, and none of it is lost when keys are destroyed', async () => {
    const key = recordingKeyPath(recordings, 'aaaa-1')
    const kept = readFileSync(key)
    rmSync(key)
    expect(await codes()).toEqual([])
    writeFileSync(key, kept)
  })
})

test('a recording that a record says was erased is not missing', async () => {
  const directory = temporaryDirectory()
  const erased = {
    type: 'recording-erased',
    v: 1,
    session: 'aaaa-1',
    what: 'recording',
    by: 'x',
    reason: 'y',
  } as const
  const publicKey = await sample(directory, [erased])
  const recordings = join(directory, 'recordings')
  rmSync(recordingPath(recordings, 'aaaa-1'))
  const report = await verifyLog(directory, { publicKeys: [publicKey], recordings })
  expect(report).toMatchObject({ ok: true, recordings: 2 })
})
