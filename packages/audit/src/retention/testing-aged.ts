/** A log with days in it, some of them past their time: what tests of retention share. Not exported. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AuditEvent } from '../event.ts'
import { anchorToFile } from '../heads.ts'
import type { AuditLog } from '../log.ts'
import { openAuditLog } from '../open.ts'
import { clockAt, publicKeyIn, type TestClock, temporaryDirectory } from '../testing.ts'
import { opening, outcome, statement } from '../testing-events.ts'
import { type VerifyReport, verifyLog } from '../verify.ts'
import { type Pruned, pruneLog } from './prune.ts'

export const DAY_MS = 86_400_000
export const KEEP_DAYS = 10

export interface Aged {
  readonly root: string
  readonly directory: string
  readonly recordings: string
  readonly anchored: string
  readonly clock: TestClock
  log: AuditLog
  readonly key: string
}

export async function openAged(
  directory: string,
  clock: TestClock,
  keepDays = KEEP_DAYS,
  segmentBytes = 600,
) {
  const anchor = anchorToFile(join(directory, '..', 'anchored.jsonl'))
  const { now } = clock
  return openAuditLog({ directory, now, keepDays, anchor, index: false, segmentBytes })
}

/** A log that has a session of ann's on day 0, one of bob's on day 5, and goes on on day 20. */
export async function aged(
  between: (log: AuditLog) => Promise<void> | void = () => {},
  segmentBytes?: number,
): Promise<Aged> {
  const root = temporaryDirectory()
  const directory = join(root, 'log')
  const clock = clockAt()
  const log = await openAged(directory, clock, KEEP_DAYS, segmentBytes)
  const key = publicKeyIn(directory)
  session(log, 's1', 'ann', 'SELECT zebra FROM stripes')
  clock.ms += 5 * DAY_MS
  session(log, 's2', 'bob', 'SELECT giraffe FROM necks')
  await between(log)
  // So that the segment which goes on after the pause has nothing of these.
  for (let n = 0; n < 3; n++) write(log, { type: 'config-loaded', v: 1, version: 'x'.repeat(200) })
  await log.signHead()
  clock.ms += 15 * DAY_MS
  write(log, { type: 'config-loaded', v: 1, version: 'now' })
  session(log, 's3', 'cid', 'SELECT lion FROM manes')
  return {
    root,
    directory,
    recordings: join(root, 'recordings'),
    anchored: join(root, 'anchored.jsonl'),
    clock,
    log,
    key,
  }
}

export function write(log: AuditLog, event: AuditEvent): number {
  const seq = log.append(event)
  log.flush()
  return seq
}

export function session(log: AuditLog, id: string, subject: string, sql: string): void {
  for (const event of opening(id, subject)) write(log, event)
  write(log, outcome({ session: id, statement: write(log, statement({ session: id, sql })) }))
}

export const edited = (file: string): string =>
  readFileSync(file, 'utf8').replace('"event":{', '"event":{"a":1,')

export function prune({ log, recordings, clock }: Aged, more: object = {}): Promise<Pruned> {
  return pruneLog({ log, recordings, now: clock.ms, by: 'retention', inThread: false, ...more })
}

export function verify({ directory, key, anchored }: Aged, heads = true): Promise<VerifyReport> {
  return verifyLog(directory, {
    publicKeys: [key],
    live: true,
    ...(heads && { heads: [anchored] }),
  })
}

export async function codesOf(of: Aged): Promise<string[]> {
  return [...new Set((await verify(of)).findings.map(({ code }) => code))]
}
