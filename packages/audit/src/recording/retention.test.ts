import { existsSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { AuditLog } from '../log.ts'
import { openAuditLog } from '../open.ts'
import { publicKeyIn, temporaryDirectory } from '../testing.ts'
import { verifyLog } from '../verify.ts'
import { readRecording, recordingKeyPath, recordingPath } from './recording-file.ts'
import { Recordings } from './recordings.ts'
import { eraseRecording, expireRecordings } from './retention.ts'

const LONG_AGO = new Date('2020-01-01')
const DAY_MS = 86_400_000

/** A log with recordings of three sessions, the first two of them old. */
async function sample(): Promise<{ log: AuditLog; directory: string }> {
  const home = temporaryDirectory()
  const directory = join(home, 'recordings')
  const log = await openAuditLog({ directory: home, now: Date.now, index: false })
  onTestFinished(() => log.close())
  const recordings = new Recordings({
    directory,
    now: Date.now,
    key: Buffer.alloc(32, 1),
    record: (events) => {
      for (const event of events) log.append(event)
      log.flush()
    },
    onFailure: () => {},
  })
  for (const session of ['old-1', 'old-2', 'new-3']) {
    const open = {
      session,
      protocol: 'postgres',
      connection: 'c',
      database: 'c',
      subject: 's',
    } as const
    recordings.open(open).end('done')
  }
  await recordings.close()
  for (const session of ['old-1', 'old-2']) {
    utimesSync(recordingPath(directory, session), LONG_AGO, LONG_AGO)
  }
  return { log, directory }
}

function hold(log: AuditLog, session: string, state: 'placed' | 'lifted'): void {
  log.append({ type: 'legal-hold', v: 1, session, state, by: 'counsel', reason: 'case 7' })
  log.flush()
}

const left = (directory: string) =>
  ['old-1', 'old-2', 'new-3'].filter((session) => existsSync(recordingPath(directory, session)))

test('what is old goes, with its key, and the log says so and still verifies', async () => {
  const { log, directory } = await sample()
  const expiry = { directory, log, before: Date.now() - DAY_MS, reason: 'keep-days: 1' }
  expect(await expireRecordings(expiry)).toEqual({ erased: 2, held: 0 })
  expect(left(directory)).toEqual(['new-3'])
  expect(existsSync(recordingKeyPath(directory, 'old-1'))).toBe(false)
  const report = await verifyLog(log.directory, {
    publicKeys: [publicKeyIn(log.directory)],
    recordings: directory,
    live: true,
  })
  expect(report).toMatchObject({ ok: true, recordings: 1 })
  expect(await expireRecordings(expiry)).toEqual({ erased: 0, held: 0 })
})

test('a legal hold keeps a recording until it is lifted', async () => {
  const { log, directory } = await sample()
  hold(log, 'old-2', 'placed')
  const expiry = { directory, log, before: Date.now() - DAY_MS, reason: 'keep-days: 1' }
  expect(await expireRecordings(expiry)).toEqual({ erased: 1, held: 1 })
  expect(left(directory)).toEqual(['old-2', 'new-3'])
  const erasure = { directory, log, session: 'old-2', by: 'ann', reason: 'asked' } as const
  await expect(eraseRecording({ ...erasure, what: 'recording' })).rejects.toMatchObject({
    code: 'on-hold',
  })
  hold(log, 'old-2', 'lifted')
  await eraseRecording({ ...erasure, what: 'recording' })
  expect(left(directory)).toEqual(['new-3'])
})

test('erasing the key leaves a file that verifies and that nobody can read', async () => {
  const { log, directory } = await sample()
  await eraseRecording({
    directory,
    log,
    session: 'new-3',
    what: 'key',
    by: 'ann',
    reason: 'asked',
  })
  expect(() => [...readRecording({ directory, session: 'new-3' })]).toThrow(
    expect.objectContaining({ code: 'key-missing' }),
  )
  const report = await verifyLog(log.directory, {
    publicKeys: [publicKeyIn(log.directory)],
    recordings: directory,
    live: true,
  })
  expect(report).toMatchObject({ ok: true, recordings: 3 })
})

test('nothing is destroyed when the log does not take the record of it', async () => {
  const { log, directory } = await sample()
  await log.close()
  const erasure = {
    directory,
    log,
    session: 'new-3',
    what: 'recording',
    by: 'ann',
    reason: 'x',
  } as const
  await expect(eraseRecording(erasure)).rejects.toMatchObject({ code: 'unavailable' })
  expect(left(directory)).toContain('new-3')
})
