import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { AuditLog } from '../log.ts'
import { openAuditLog } from '../open.ts'
import type { AuditLogOptions } from '../options.ts'
import { segmentPath } from '../segments.ts'
import { clockAt, temporaryDirectory } from '../testing.ts'
import { opening, outcome, statement } from '../testing-events.ts'
import { Indexer, rebuildIndex, updateIndex } from './indexer.ts'
import { type AuditReader, openAuditReader } from './reader.ts'
import { describeReader, sampleLog, seqsOf } from './testing-reader.ts'

function open(directory: string, options: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
  return openAuditLog({ directory, now: clockAt().now, index: false, ...options })
}

async function read(directory: string): Promise<AuditReader> {
  const reader = await openAuditReader({ directory, update: true })
  onTestFinished(() => reader.close())
  return reader
}

describe('the reader', () => {
  describeReader((directory) => openAuditReader({ directory, update: true }))

  let directory: string
  beforeEach(async () => {
    directory = temporaryDirectory()
    await sampleLog(directory, clockAt(1_000_000))
  })

  test('does not pass off another record as the one asked for', async () => {
    const reader = await read(directory)
    const file = segmentPath(directory, 1)
    writeFileSync(file, readFileSync(file, 'utf8').replace('"seq":2}', '"seq":7}'))
    await expect(reader.show(2)).rejects.toThrow(expect.objectContaining({ code: 'corrupt' }))
  })

  test('has the same answers from an index built anew', async () => {
    const before = await read(directory)
    const records = (await before.search({ limit: 1_000 })).items
    const { items: sessions } = await before.sessions({})
    await before.close()
    await rebuildIndex(directory)
    const after = await read(directory)
    expect((await after.search({ limit: 1_000 })).items).toEqual(records)
    expect((await after.sessions({})).items).toEqual(sessions)
  })
})

describe('the index', () => {
  test('is not there until it is built', async () => {
    await expect(openAuditReader({ directory: temporaryDirectory() })).rejects.toThrow(
      expect.objectContaining({ code: 'index-unavailable' }),
    )
  })

  test('is built anew when its file is not one', async () => {
    const directory = temporaryDirectory()
    await (await open(directory)).close()
    writeFileSync(join(directory, 'index.db'), 'not a database at all'.repeat(100))
    expect(await updateIndex(directory)).toBe(2)
  })

  test('is built anew when it speaks of records the segments do not hold', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory)
    for (let i = 0; i < 5; i++) log.append(statement())
    await log.close()
    expect(await updateIndex(directory)).toBe(7)
    const file = segmentPath(directory, 1)
    const lines = readFileSync(file, 'utf8').split('\n')
    truncateSync(file, Buffer.byteLength(lines.slice(0, 3).join('\n')) + 1)
    expect(await updateIndex(directory)).toBe(3)
    expect(await (await read(directory)).tail(10)).toHaveLength(3)
  })

  test('waits for the rest of an unfinished line', async () => {
    const directory = temporaryDirectory()
    await (await open(directory)).close()
    const file = segmentPath(directory, 1)
    const whole = readFileSync(file)
    writeFileSync(file, whole.subarray(0, whole.length - 4))
    expect(await updateIndex(directory)).toBe(1)
    writeFileSync(file, whole)
    expect(await updateIndex(directory)).toBe(2)
  })

  test('passes over a line that is no record', async () => {
    const directory = temporaryDirectory()
    await (await open(directory)).close()
    const file = segmentPath(directory, 1)
    writeFileSync(file, `${readFileSync(file, 'utf8')}rubbish\n`)
    expect(await updateIndex(directory)).toBe(2)
  })

  test('does not go by what another indexer has made old', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory)
    const [opened, , started] = opening('s1', 'ann')
    log.append(opened ?? statement())
    log.append({ type: 'cancel', v: 1, session: 's1', source: 'client' })
    log.flush()
    const first = await Indexer.open(directory)
    await first.catchUp()
    log.append(started ?? statement())
    log.flush()
    await updateIndex(directory)
    const seq = log.append(statement())
    log.flush()
    await first.catchUp()
    await first.close()
    expect(await seqsOf(await read(directory), { subject: 'ann', type: 'statement' })).toEqual([
      seq,
    ])
    await log.close()
  })

  test('is kept by two indexers at once without a record lost or doubled', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { index: true, segmentBytes: 20_000 })
    for (let round = 0; round < 20; round++) {
      for (const event of opening(`s${round}`, `subject ${round}`)) log.append(event)
      for (let i = 0; i < 20; i++) {
        log.append(
          outcome({
            session: `s${round}`,
            statement: log.append(statement({ session: `s${round}` })),
          }),
        )
      }
      log.flush()
      await updateIndex(directory)
    }
    await log.indexed()
    const reader = await read(directory)
    expect((await reader.search({ subject: 'subject 19' })).items).toHaveLength(43)
    const { items } = await reader.sessions({})
    expect(items.map((session) => session.statements)).toEqual(Array(20).fill(20))
    await reader.close()
    await log.close()
  })
})

describe('the index worker', () => {
  test('follows a log, and says how far it is', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { index: true })
    const heard: number[] = []
    const stop = log.onIndexed((seq) => heard.push(seq))
    const seq = log.append(statement())
    await log.indexed()
    const reader = await openAuditReader({ directory })
    expect((await reader.tail(1))[0]?.seq).toBe(seq)
    expect(heard.at(-1)).toBe(seq)
    stop()
    await reader.close()
    await log.close()
  })

  test('has everything by the time the log is closed', async () => {
    const directory = temporaryDirectory()
    const log = await open(directory, { index: true })
    for (let i = 0; i < 500; i++) log.append(statement())
    await log.close()
    const reader = await openAuditReader({ directory })
    expect(await reader.newest()).toBe(502)
    await reader.close()
  })

  test('catches up with what was written without it', async () => {
    const directory = temporaryDirectory()
    const without = await open(directory, { segmentBytes: 1_000 })
    for (let i = 0; i < 50; i++) {
      without.append(statement())
      without.flush()
    }
    await without.close()
    const log = await open(directory, { index: true })
    await log.indexed()
    const reader = await openAuditReader({ directory })
    expect((await reader.search({ type: 'statement' })).items).toHaveLength(50)
    await reader.close()
    await log.close()
  })

  test('reports a broken index once and the log does not care', async () => {
    const directory = temporaryDirectory()
    const failures: string[] = []
    // A directory where the index file should be cannot be opened nor replaced.
    mkdirSync(join(directory, 'index.db'))
    const log = await open(directory, {
      index: true,
      onIndexFailure: (error) => failures.push(error.code),
    })
    log.append(statement())
    log.flush()
    await expect.poll(() => failures, { timeout: 20_000 }).toEqual(['index-unavailable'])
    expect(log.state).toBe('open')
    rmSync(join(directory, 'index.db'), { recursive: true })
    await log.indexed()
    await log.close()
  })
})
