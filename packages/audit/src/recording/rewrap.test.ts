import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { REWRAP_KEYS_MAX } from '../limits.ts'
import type { AuditLog } from '../log.ts'
import { openAuditLog } from '../open.ts'
import { publicKeyIn, temporaryDirectory } from '../testing.ts'
import { verifyLog } from '../verify.ts'
import { journalBuffer } from './journal.ts'
import { JournalWriter } from './journal-writer.ts'
import { newDataKey, wrapKey, wrappingKey } from './keys.ts'
import { nextKeyPath, readRecording, recordingKeyPath, recordingPath } from './recording-file.ts'
import { Recordings } from './recordings.ts'
import { eraseRecording } from './retention.ts'
import { rewrapRecordings } from './rewrap.ts'

const [OLD, NEW, LOST] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte)) as [Buffer, Buffer, Buffer]
const OPEN = { protocol: 'postgres', connection: 'c', database: 'c', subject: 's' } as const

/** A log with recordings of these sessions under a key. */
async function sample(
  ...recorded: readonly (readonly [key: Buffer, session: string])[]
): Promise<{ log: AuditLog; directory: string }> {
  const home = temporaryDirectory()
  const directory = join(home, 'recordings')
  const log = await openAuditLog({ directory: home, now: Date.now, index: false })
  onTestFinished(() => log.close())
  for (const [key, session] of recorded) {
    const recordings = new Recordings({
      directory,
      now: Date.now,
      key,
      record: (events) => {
        for (const event of events) log.append(event)
        log.flush()
      },
      onFailure: () => {},
    })
    recordings.open({ ...OPEN, session }).end('done')
    await recordings.close()
  }
  return { log, directory }
}

const rewrap = ({ log, directory }: { log: AuditLog; directory: string }) =>
  rewrapRecordings({
    log,
    directory,
    to: wrappingKey(NEW),
    from: [wrappingKey(OLD)],
    by: 'operator',
  })

const kinds = (directory: string, session: string, ...keys: readonly Buffer[]) =>
  [...readRecording({ directory, session, keys: keys.map(wrappingKey) })].map(({ kind }) => kind)

test('what was under the key before is read with the new one alone, and proven as before', async () => {
  const at = await sample([OLD, 'one'], [OLD, 'two'], [NEW, 'three'], [LOST, 'four'])
  const { log, directory } = at
  const bytes = readFileSync(recordingPath(directory, 'one'))
  const unopened = { [wrappingKey(LOST).id]: 1 }
  expect(await rewrap(at)).toEqual({ rewrapped: 2, left: 0, journals: 0, unopened })
  for (const session of ['one', 'two', 'three']) {
    expect(kinds(directory, session, NEW)).toEqual(['open', 'end'])
  }
  expect(() => kinds(directory, 'one', OLD)).toThrow(
    expect.objectContaining({ code: 'key-missing' }),
  )
  expect(kinds(directory, 'four', LOST)).toEqual(['open', 'end'])
  expect(readFileSync(recordingPath(directory, 'one'))).toEqual(bytes)
  expect(await rewrap(at)).toEqual({ rewrapped: 0, left: 0, journals: 0, unopened })
  const report = await verifyLog(log.directory, {
    publicKeys: [publicKeyIn(log.directory)],
    recordings: directory,
    live: true,
  })
  expect(report).toMatchObject({ ok: true, recordings: 4 })
  expect(eventsOf(log)).toEqual([
    { type: 'recordings-rewrapped', v: 1, to: wrappingKey(NEW).id, recordings: 2, by: 'operator' },
  ])
})

const eventsOf = ({ directory }: AuditLog): unknown[] =>
  readFileSync(join(directory, '00000001.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line.includes('recordings-rewrapped'))
    .map((line) => JSON.parse(line).event)

test('a key that is destroyed meanwhile does not come back', async () => {
  const at = await sample([OLD, 'one'])
  const { directory } = at
  const done = rewrap(at)
  rmSync(recordingKeyPath(directory, 'one'))
  await done
  expect(existsSync(recordingKeyPath(directory, 'one'))).toBe(false)
  expect(existsSync(nextKeyPath(directory, 'one'))).toBe(false)
})

test('what a killed run left is wrapped by the next one, and goes when the key is destroyed', async () => {
  const at = await sample([OLD, 'one'], [OLD, 'two'])
  const { log, directory } = at
  for (const session of ['one', 'two']) writeFileSync(nextKeyPath(directory, session), 'torn')
  const erasure = { directory, log, what: 'key', by: 'dpo', reason: 'request 12' } as const
  await eraseRecording({ ...erasure, session: 'two' })
  expect(existsSync(nextKeyPath(directory, 'two'))).toBe(false)
  expect(await rewrap(at)).toMatchObject({ rewrapped: 1, left: 0 })
  expect(kinds(directory, 'one', NEW)).toEqual(['open', 'end'])
  expect(existsSync(nextKeyPath(directory, 'one'))).toBe(false)
})

test('nothing is changed when the log does not take the record of it', async () => {
  const at = await sample([OLD, 'one'])
  await at.log.close()
  await expect(rewrap(at)).rejects.toMatchObject({ name: 'AuditError' })
  expect(kinds(at.directory, 'one', OLD)).toEqual(['open', 'end'])
})

test('a journal that a killed gateway left under the key before is told of', async () => {
  const at = await sample([NEW, 'one'])
  const { directory } = at
  const options = { directory, wrapping: wrappingKey(OLD), buffer: journalBuffer() }
  const journal = new JournalWriter({ ...options, journal: 7 })
  journal.flush()
  journal.close()
  expect(await rewrap(at)).toMatchObject({ rewrapped: 0, journals: 1 })
})

test('one run wraps so many, and says that there is more', async () => {
  const at = await sample()
  const { directory } = at
  mkdirSync(join(directory, 'se'), { recursive: true })
  for (let i = 0; i <= REWRAP_KEYS_MAX; i++) {
    const session = `session-${i}`
    const text = wrapKey(newDataKey(), wrappingKey(OLD), session)
    writeFileSync(recordingKeyPath(directory, session), text)
  }
  expect(await rewrap(at)).toMatchObject({ rewrapped: REWRAP_KEYS_MAX, left: 1 })
  expect(await rewrap(at)).toMatchObject({ rewrapped: 1, left: 0 })
})
