/**
 * The end of recordings: by age, or because somebody asks for it. What is destroyed leaves a record in the
 * chained log, written first; a legal hold on a session keeps its recording whatever its age.
 */

import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { AuditError } from '../errors.ts'
import type { RecordingErased } from '../event.ts'
import { openAuditReader } from '../index/reader.ts'
import type { AuditLog } from '../log.ts'
import { Holds } from '../retention/holds.ts'
import { nextKeyPath, recordingKeyPath, recordingPath } from './recording-file.ts'

const REC = '.rec'

export interface Erasure {
  /** Of recordings. */
  readonly directory: string
  readonly log: AuditLog
  readonly session: string
  /** key: the file stays and still verifies, but nobody can read it, nor any copy of it. */
  readonly what: RecordingErased['what']
  readonly by: string
  readonly reason: string
}

/**
 * Destroys a recording, or its key, after the log says so.
 * @throws AuditError not-found; on-hold; unavailable: the log cannot be written, and nothing was destroyed
 */
export async function eraseRecording(erasure: Erasure): Promise<void> {
  const { directory, log, session, what } = erasure
  const file =
    what === 'key' ? recordingKeyPath(directory, session) : recordingPath(directory, session)
  if (!existsSync(file)) {
    throw new AuditError(
      'not-found',
      `session \`${session}\` has no such recording, or no key to it`,
    )
  }
  if ((await heldOf(log.directory, [session])).has(session)) throw onHold(session)
  destroy(erasure)
}

/** A log that cannot be written keeps the files as they are. */
function destroy({ directory, log, session, what, by, reason }: Erasure): void {
  log.append({ type: 'recording-erased', v: 1, session, what, by, reason })
  log.flush('fdatasync')
  rmSync(recordingKeyPath(directory, session), { force: true })
  // Of a process that was killed while it wrapped the key anew.
  rmSync(nextKeyPath(directory, session), { force: true })
  if (what === 'recording') rmSync(recordingPath(directory, session), { force: true })
}

export interface Expiry {
  /** Of recordings. */
  readonly directory: string
  readonly log: AuditLog
  /** Recordings last written before this go, ms since 1970. */
  readonly before: number
  /** The rule, as it is to stand in the record. */
  readonly reason: string
}

/** Destroys recordings that are old enough. Returns how many went and how many a hold kept. */
export async function expireRecordings(expiry: Expiry): Promise<{ erased: number; held: number }> {
  const old = oldRecordings(expiry)
  if (old.length === 0) return { erased: 0, held: 0 }
  const held = await heldOf(expiry.log.directory, old)
  const due = old.filter((session) => !held.has(session))
  const { directory, log, reason } = expiry
  for (const session of due) {
    destroy({ directory, log, session, what: 'recording', by: 'retention', reason })
  }
  return { erased: due.length, held: old.length - due.length }
}

/** Those of these sessions that are under a legal hold; what is not indexed yet is indexed first. */
async function heldOf(
  directory: string,
  sessions: readonly string[],
): Promise<ReadonlySet<string>> {
  const reader = await openAuditReader({ directory, update: true })
  try {
    const holds = await Holds.read(reader)
    const held = new Set<string>()
    for (const session of sessions) {
      if (await holds.holdsSession(session, reader)) held.add(session)
    }
    return held
  } finally {
    await reader.close()
  }
}

function oldRecordings({ directory, before }: Expiry): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
    if (!name.endsWith(REC)) return []
    const session = basename(name, REC)
    // Only ever appended to: its time is that of the last thing it holds.
    return statSync(recordingPath(directory, session)).mtimeMs < before ? [session] : []
  })
}

function onHold(session: string): AuditError {
  return new AuditError('on-hold', `session \`${session}\` is under a legal hold`)
}
