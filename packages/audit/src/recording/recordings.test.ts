import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { AuditEvent, RecordingSealed } from '../event.ts'
import { RECORDING_JOURNALS_BEHIND } from '../limits.ts'
import { temporaryDirectory } from '../testing.ts'
import { Archiver } from './archiver.ts'
import type { RecordingFrame, RecordingOpen } from './frames.ts'
import { journalBuffer, journalPath, listJournals, sparePath } from './journal.ts'
import { JournalWriter } from './journal-writer.ts'
import { wrappingKey } from './keys.ts'
import { readRecording, recordingKeyPath, recordingPath, sealOf } from './recording-file.ts'
import { Recordings, type RecordingsOptions } from './recordings.ts'

const KEY = Buffer.alloc(32, 7)
const OPEN: RecordingOpen = {
  session: 'session-1',
  protocol: 'postgres',
  connection: 'crm',
  database: 'crm',
  subject: 'ann',
}

function start(directory: string, options: Partial<RecordingsOptions> = {}) {
  const events: AuditEvent[] = []
  const failures: string[] = []
  const recordings = new Recordings({
    directory,
    now: () => 1_000,
    key: null,
    record: (more) => events.push(...more),
    onFailure: (error) => failures.push(error.message),
    ...options,
  })
  onTestFinished(() => recordings.close().catch(() => {}))
  return { recordings, events, failures }
}

function shown(directory: string, session: string, key: Uint8Array | null = null): string {
  const keys = key === null ? [] : [wrappingKey(key)]
  return [...readRecording({ directory, session, keys })].map(describeFrame).join(' ')
}

function describeFrame(frame: RecordingFrame): string {
  switch (frame.kind) {
    case 'open':
      return `open:${frame.open.subject}`
    case 'output':
    case 'input':
      return `${frame.kind}:${frame.bytes.toString()}`
    case 'answered':
      return `answered:${frame.statement}`
    case 'omitted':
      return `omitted:${frame.rows}/${frame.bytes}`
    case 'shape':
      return `shape:${frame.shape.id}`
    case 'result':
      return `result:${frame.shape}`
    case 'end':
      return `end:${frame.reason}`
  }
}

const bytes = (text: string): [Buffer, number, number] => [Buffer.from(text), 0, text.length]

describe.each([
  ['in clear', null],
  ['encrypted', KEY],
])('recordings %s', (_name, key) => {
  test('hold what was shown, in order, each session by itself', async () => {
    const directory = temporaryDirectory()
    const { recordings } = start(directory, { key })
    const one = recordings.open(OPEN)
    const two = recordings.open({ ...OPEN, session: 'session-2', subject: 'bob' })
    one.output(...bytes('rows'))
    two.output(...bytes('other'))
    one.answered(7)
    one.shape({ id: 1, columns: [{ name: 'a', type: 23, format: 'binary' }] })
    one.result(1)
    one.omitted({ rows: 3, bytes: 99 })
    one.input(...bytes('data'))
    one.end('client-closed')
    recordings.flush()
    await recordings.archived()
    expect(shown(directory, 'session-1', key)).toBe(
      'open:ann output:rows answered:7 shape:1 result:1 omitted:3/99 input:data end:client-closed',
    )
    expect(shown(directory, 'session-2', key)).toBe('open:bob output:other')
  })

  test('go on across journals, and the log gets the hash of the whole file', async () => {
    const directory = temporaryDirectory()
    const { recordings, events } = start(directory, { key })
    const one = recordings.open(OPEN)
    await recordings.archived()
    one.output(...bytes('later'))
    one.end('done')
    await recordings.archived()
    expect(shown(directory, 'session-1', key)).toBe('open:ann output:later end:done')
    const seals = events as RecordingSealed[]
    expect(seals.map(({ final }) => final)).toEqual([false, true])
    for (const { bytes: length, sha256 } of seals) {
      expect(sealOf(directory, 'session-1', length)).toEqual({ bytes: length, sha256 })
    }
    expect(listJournals(directory)).toHaveLength(1)
  })

  test('give back output larger than any buffer', async () => {
    const directory = temporaryDirectory()
    const { recordings } = start(directory, { key })
    const one = recordings.open(OPEN)
    const large = Buffer.alloc(3_000_000, 'abcdefghij')
    one.output(large, 0, large.length)
    await recordings.archived()
    const parts = [...readRecording({ directory, session: 'session-1', keys: [wrappingKey(KEY)] })]
    const output = parts.map((frame) => (frame.kind === 'output' ? frame.bytes : Buffer.alloc(0)))
    expect(Buffer.concat(output).equals(large)).toBe(true)
  })

  test('of a killed process are completed at the next start', async () => {
    const directory = temporaryDirectory()
    // As a process leaves it that dies right after a flush.
    const journal = new JournalWriter({
      directory,
      journal: 4,
      wrapping: key === null ? null : wrappingKey(key),
      buffer: journalBuffer(),
    })
    journal.entry(journal.name(Buffer.from('session-9')), 4, 5, 8)
    journal.flush()
    journal.close()
    const { recordings, events } = start(directory, { key })
    await recordings.archived()
    expect(shown(directory, 'session-9', key)).toMatch(/^answered:/)
    expect(events).toMatchObject([{ session: 'session-9', final: false }])
    expect(existsSync(journalPath(directory, 4))).toBe(false)
  })
})

test('closed, they are complete before the process ends, whatever else keeps it', async () => {
  const directory = temporaryDirectory()
  const script = `
    const { Recordings } = await import(${JSON.stringify(new URL('./recordings.ts', import.meta.url).href)})
    const options = { directory: process.argv[2], now: Date.now, key: null, record: () => {} }
    const recordings = new Recordings({ ...options, onFailure: () => {} })
    recordings.open(${JSON.stringify({ ...OPEN, session: 'session-1' })}).end('done')
    await recordings.close()`
  const file = join(directory, 'script.mjs')
  writeFileSync(file, script)
  const { stderr } = await promisify(execFile)(process.execPath, [file, directory])
  expect(stderr).toBe('')
  expect(shown(directory, 'session-1')).toBe('open:ann end:done')
})

describe('another key', () => {
  test('completes what was left under the one before, and begins its own', async () => {
    const directory = temporaryDirectory()
    const [before, after] = [wrappingKey(KEY), Buffer.alloc(32, 8)]
    const buffer = journalBuffer()
    const journal = new JournalWriter({ directory, journal: 1, wrapping: before, buffer })
    const session = journal.name(Buffer.from('session-1'))
    buffer.write('rows', journal.entry(session, 2, 5, 4))
    journal.flush()
    journal.close()
    new Archiver({ directory, wrapping: before }).archive({ journal: 1, bytes: journal.bytes })
    // Killed in a journal later.
    const next = new JournalWriter({ directory, journal: 2, wrapping: before, buffer })
    buffer.write('more', next.entry(next.name(Buffer.from('session-1')), 2, 5, 4))
    next.flush()
    next.close()
    rmSync(journalPath(directory, 1))
    const { recordings, failures } = start(directory, { key: after, previousKeys: [KEY] })
    recordings.open({ ...OPEN, session: 'session-2' }).end('done')
    await recordings.archived()
    expect(failures).toEqual([])
    expect(shown(directory, 'session-1', KEY)).toBe('output:rows output:more')
    expect(shown(directory, 'session-2', after)).toBe('open:ann end:done')
    expect(() => shown(directory, 'session-2', KEY)).toThrow(
      expect.objectContaining({ code: 'key-missing' }),
    )
  })
})

describe('a recording', () => {
  test('is the same however often a journal is archived', () => {
    const directory = temporaryDirectory()
    const buffer = journalBuffer()
    const journal = new JournalWriter({ directory, journal: 1, wrapping: null, buffer })
    const at = journal.entry(journal.name(Buffer.from('session-1')), 2, 5, 4)
    buffer.write('rows', at)
    journal.flush()
    journal.close()
    new Archiver({ directory, wrapping: null }).archive({ journal: 1, bytes: null })
    const before = readFileSync(recordingPath(directory, 'session-1'))
    new Archiver({ directory, wrapping: null }).archive({ journal: 1, bytes: null })
    expect(readFileSync(recordingPath(directory, 'session-1')).equals(before)).toBe(true)
    expect(shown(directory, 'session-1')).toBe('output:rows')
  })

  test('ends before a torn batch of the journal', () => {
    const directory = temporaryDirectory()
    const buffer = journalBuffer()
    const journal = new JournalWriter({ directory, journal: 1, wrapping: null, buffer })
    const session = journal.name(Buffer.from('session-1'))
    for (const text of ['one!', 'two!']) {
      buffer.write(text, journal.entry(session, 2, 5, 4))
      journal.flush()
    }
    journal.close()
    truncateSync(journalPath(directory, 1), journal.bytes - 2)
    new Archiver({ directory, wrapping: null }).archive({ journal: 1, bytes: null })
    expect(shown(directory, 'session-1')).toBe('output:one!')
  })

  test.each([
    ['in clear', null],
    ['encrypted', wrappingKey(KEY)],
  ])('has nothing of a journal whose file was written over, %s', (_name, wrapping) => {
    const directory = temporaryDirectory()
    const buffer = journalBuffer()
    const write = (journal: number, texts: readonly string[], spare?: string) => {
      const writer = new JournalWriter({ directory, journal, wrapping, buffer, spare })
      const session = writer.name(Buffer.from('session-1'))
      for (const text of texts) {
        buffer.write(text, writer.entry(session, 2, 5, 4))
        writer.flush()
      }
      writer.close()
    }
    write(1, ['old1', 'old2', 'old3'])
    const spare = sparePath(directory, 1)
    renameSync(journalPath(directory, 1), spare)
    write(2, ['new1'], spare)
    expect(existsSync(spare)).toBe(false)
    new Archiver({ directory, wrapping }).archive({ journal: 2, bytes: null })
    expect(shown(directory, 'session-1', KEY)).toBe('output:new1')
  })

  test('shows nothing in clear when it is encrypted, nor does its journal', async () => {
    const directory = temporaryDirectory()
    const { recordings } = start(directory, { key: KEY })
    const one = recordings.open(OPEN)
    one.output(...bytes('canary-value'))
    recordings.flush()
    const files = () =>
      readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    expect(files().some((content) => content.includes('canary-value'))).toBe(false)
    await recordings.archived()
    expect(files().some((content) => content.includes('canary-value'))).toBe(false)
  })

  test('is erased with its key', async () => {
    const directory = temporaryDirectory()
    const { recordings } = start(directory, { key: KEY })
    recordings.open(OPEN).end('done')
    await recordings.archived()
    writeFileSync(recordingKeyPath(directory, 'session-1'), '{}')
    expect(() => shown(directory, 'session-1', KEY)).toThrow(
      expect.objectContaining({ code: 'corrupt' }),
    )
  })

  test('needs the key it was written with', async () => {
    const directory = temporaryDirectory()
    const { recordings } = start(directory, { key: KEY })
    recordings.open(OPEN).end('done')
    await recordings.archived()
    expect(() => shown(directory, 'session-1', Buffer.alloc(32, 8))).toThrow(
      expect.objectContaining({ code: 'key-missing' }),
    )
  })

  test('that is not there is said to be so', () => {
    expect(() => shown(temporaryDirectory(), 'session-1')).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    )
  })

  test.each(['..', 'a/b', '', 'x'])('is never looked for under %j', (session) => {
    expect(() => shown(temporaryDirectory(), session)).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    )
  })
})

describe('the journal', () => {
  test('has who shows much wait while the archiver is behind, and go on when it is not', async () => {
    const { recordings } = start(temporaryDirectory())
    const one = recordings.open(OPEN)
    const goneOn = new Promise<void>((resolve) => {
      for (let i = 0; i < RECORDING_JOURNALS_BEHIND; i++) {
        expect(one.mustWait(resolve)).toBe(false)
        one.output(...bytes('rows'))
        void recordings.archived()
      }
      expect(one.mustWait(resolve)).toBe(true)
    })
    await goneOn
    expect(one.mustWait(() => {})).toBe(false)
  })

  test('has nobody wait for an archiver that fails', async () => {
    const { recordings } = start(temporaryDirectory(), {
      record: () => {
        throw new Error('disk full')
      },
    })
    const one = recordings.open(OPEN)
    const goneOn = new Promise<void>((resolve) => {
      for (let i = 0; i < RECORDING_JOURNALS_BEHIND; i++) {
        one.output(...bytes('rows'))
        void recordings.archived()
      }
      expect(one.mustWait(resolve)).toBe(true)
    })
    await goneOn
    expect(one.mustWait(() => {})).toBe(false)
  })

  test('keeps no file to write over once nothing is recorded', async () => {
    const directory = temporaryDirectory()
    const { recordings } = start(directory)
    const spares = () => readdirSync(directory).filter((name) => name.endsWith('.spare'))
    recordings.open(OPEN).output(...bytes('rows'))
    await recordings.archived()
    expect(spares()).toHaveLength(1)
    await recordings.archived()
    await expect.poll(spares).toHaveLength(0)
    expect(listJournals(directory)).toHaveLength(1)
  })

  test('stays when the log does not take the seals, and is archived again', async () => {
    const directory = temporaryDirectory()
    let refuses = true
    const { recordings, failures } = start(directory, {
      record: () => {
        if (refuses) throw new Error('disk full')
      },
    })
    recordings.open(OPEN).output(...bytes('rows'))
    await recordings.archived()
    expect(failures).toHaveLength(1)
    expect(listJournals(directory)).toHaveLength(2)
    refuses = false
    await expect.poll(() => listJournals(directory), { timeout: 5_000 }).toHaveLength(1)
    expect(shown(directory, 'session-1')).toBe('open:ann output:rows')
  })
})

/** A file system of 256 KiB, or null where none may be mounted. */
function mountSmallDisk(): string | null {
  const directory = temporaryDirectory()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', directory], {
      stdio: 'ignore',
    })
  } catch {
    return null
  }
  onTestFinished(() => void execFileSync('umount', ['-l', directory]))
  return directory
}

describe('a full disk', () => {
  test('lets nothing be shown until there is room, and loses nothing that was', async ({
    skip,
  }) => {
    const disk = mountSmallDisk()
    if (disk === null) return skip('needs the right to mount a tmpfs')
    const directory = join(disk, 'recordings')
    const { recordings, failures } = start(directory)
    const one = recordings.open(OPEN)
    one.output(...bytes('first'))
    recordings.flush()
    const ballast = join(disk, 'ballast')
    expect(() => {
      for (let size = 200_000; size > 0; size -= 4_096) {
        try {
          writeFileSync(ballast, Buffer.alloc(size))
          break
        } catch {
          // As much as fits.
        }
      }
      const large = randomBytes(100_000)
      one.output(large, 0, large.length)
      recordings.flush()
    }).toThrow(expect.objectContaining({ code: 'unavailable' }))
    expect(recordings.available).toBe(false)
    expect(() => recordings.open({ ...OPEN, session: 'session-2' })).toThrow(
      expect.objectContaining({ code: 'unavailable' }),
    )
    expect(failures).toEqual(['recordings cannot be written: ENOSPC'])
    rmSync(ballast)
    recordings.flush()
    expect(recordings.available).toBe(true)
    one.end('done')
    await recordings.archived()
    const frames = [...readRecording({ directory, session: 'session-1' })]
    const length = frames.reduce(
      (sum, one) => sum + (one.kind === 'output' ? one.bytes.length : 0),
      0,
    )
    // What nobody was shown is not in it.
    expect(length).toBe(5)
    expect(frames.at(-1)).toMatchObject({ kind: 'end' })
  })
})
