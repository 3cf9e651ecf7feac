/**
 * Another key from outside takes the place of one before: data keys of recordings that the earlier one wraps are wrapped
 * by the new one, so that the earlier one can be given up. Recordings themselves stay as they are. The log says so
 * first. Stopped anywhere, it has every key under one of the two, and the next run goes on.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { REWRAP_KEYS_MAX } from '../limits.ts'
import type { AuditLog } from '../log.ts'
import { listJournals } from './journal.ts'
import { keyOfJournal } from './journal-reader.ts'
import { unwrapKey, type WrappingKey, wrapKey, wrappedBy } from './keys.ts'
import { nextKeyPath, recordingKeyPath, recordingPath } from './recording-file.ts'

const KEY = '.key'

export interface Rewrapping {
  /** Of recordings. */
  readonly directory: string
  readonly log: AuditLog
  /** The key from now on. */
  readonly to: WrappingKey
  /** Those that may go. */
  readonly from: readonly WrappingKey[]
  readonly by: string
}

export interface Rewrapped {
  /** In this run: REWRAP_KEYS_MAX at most. */
  readonly rewrapped: number
  /** Left for the next run. */
  readonly left: number
  /** Journals under another key: they are taken apart by a gateway that has it. */
  readonly journals: number
  /** Stay as they are: none of these keys opens them. By the id of the key that they need; '' where it is not told. */
  readonly unopened: Readonly<Record<string, number>>
}

/** One run. @throws AuditError unavailable: the log cannot be written, and nothing was changed */
export async function rewrapRecordings(rewrapping: Rewrapping): Promise<Rewrapped> {
  const { directory, log, to, from, by } = rewrapping
  const due: string[] = []
  const unopened: Record<string, number> = {}
  for (const session of keptKeys(directory)) {
    const needs = wrappedBy(readFileSync(recordingKeyPath(directory, session), 'utf8'))
    if (needs === to.id) continue
    if (from.some(({ id }) => id === needs)) due.push(session)
    // Torn while it was made: nothing is under it yet.
    else if (needs !== '' || existsSync(recordingPath(directory, session))) {
      unopened[needs] = (unopened[needs] ?? 0) + 1
    }
  }
  const now = due.slice(0, REWRAP_KEYS_MAX)
  const left = due.length - now.length
  const journals = journalsUnderOthers(directory, to)
  if (now.length === 0) return { rewrapped: 0, left, journals, unopened }
  log.append({ type: 'recordings-rewrapped', v: 1, to: to.id, recordings: now.length, by })
  log.flush('fdatasync')
  for (const session of now) await rewrap(session, rewrapping)
  for (const folder of new Set(now.map((one) => dirname(recordingKeyPath(directory, one))))) {
    await syncDirectory(folder)
  }
  return { rewrapped: now.length, left, journals, unopened }
}

async function rewrap(session: string, { directory, to, from }: Rewrapping): Promise<void> {
  const file = recordingKeyPath(directory, session)
  const next = nextKeyPath(directory, session)
  const before = textOf(file)
  if (before === null) return
  const text = wrapKey(unwrapKey(before, from, session), to, session)
  await writeFile(next, text, { mode: 0o600, flush: true })
  // INVARIANT: nothing is awaited from here on: a key that was destroyed meanwhile must not come back.
  if (textOf(file) === before) renameSync(next, file)
  else rmSync(next, { force: true })
}

function keptKeys(directory: string): string[] {
  if (!existsSync(directory)) return []
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith(KEY)).map((name) => basename(name, KEY))
}

function journalsUnderOthers(directory: string, { id }: WrappingKey): number {
  if (!existsSync(directory)) return 0
  const needed = listJournals(directory).map((journal) => keyOfJournal(directory, journal))
  return needed.filter((needs) => needs !== null && needs !== id).length
}

/** Null: it is not there. */
function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    // Safe: what fs throws has a code.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** A name that took another's place is there after a power cut, too. */
async function syncDirectory(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
