import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { RECORDING_JOURNAL_BYTES } from '../limits.ts'
import { temporaryDirectory } from '../testing.ts'
import { Archiver } from './archiver.ts'
import { FRAME_KIND } from './frames.ts'
import { journalBuffer } from './journal.ts'
import { JournalWriter } from './journal-writer.ts'
import { wrappingKey } from './keys.ts'
import { readRecording, recordingPath } from './recording-file.ts'

const SESSION = 'a-session'

/** A journal of one session's output: text that packs, over and over. */
function journalOf(directory: string, bytes: number): JournalWriter {
  const buffer = journalBuffer()
  const writer = new JournalWriter({ directory, journal: 1, wrapping: null, buffer })
  const session = writer.name(Buffer.from(SESSION, 'latin1'))
  const piece = Buffer.concat([Buffer.alloc(30_000, 'ab'), randomBytes(10_000)])
  while (writer.bytes < bytes) {
    piece.copy(buffer, writer.entry(session, FRAME_KIND.output, 0, piece.length))
    writer.flush()
  }
  writer.close()
  return writer
}

test.each([
  ['a short journal', 100_000],
  ['a full one', RECORDING_JOURNAL_BYTES],
])('%s gives the same bytes again when nobody knows any more how long it is', (_, bytes) => {
  const directory = temporaryDirectory()
  const written = journalOf(directory, bytes)
  const archiver = () => new Archiver({ directory, wrapping: null })
  const first = archiver().archive({ journal: 1, bytes: written.bytes })
  const file = recordingPath(directory, SESSION)
  const content = readFileSync(file)
  // Killed before the journal was let go: the seal may stand in the log.
  expect(archiver().archive({ journal: 1, bytes: null })).toEqual(first)
  expect(readFileSync(file).equals(content)).toBe(true)
  expect(statSync(file).size).toBeLessThan(bytes)
  let shown = 0
  for (const frame of readRecording({ directory, session: SESSION })) {
    if (frame.kind === 'output') shown += frame.bytes.length
  }
  expect(shown).toBeGreaterThan(bytes * 0.99)
})

test.each([0, 1, 4])('a recording whose head was written up to byte %i is begun again', (size) => {
  const directory = temporaryDirectory()
  const written = journalOf(directory, 100_000)
  const file = recordingPath(directory, SESSION)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, Buffer.from('SPR1').subarray(0, size))
  const wrapping = wrappingKey(Buffer.alloc(32, 1))
  new Archiver({ directory, wrapping }).archive({ journal: 1, bytes: written.bytes })
  const frames = [...readRecording({ directory, session: SESSION, keys: [wrapping] })]
  expect(frames.length).toBeGreaterThan(1)
})
