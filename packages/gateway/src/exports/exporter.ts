/**
 * One export: the log's records in order, from where it stood to where the log ends, in batches, each until its receiver
 * has it. The log's segments are the buffer: there is no second copy, and nothing waits for a receiver but its
 * own export. Where it stands is in a file, written after each batch: a record is sent at least once.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Exported, type ExportFormat, type LogPosition, recordsFrom } from '@sallyport/audit'
import { GatewayError } from '../errors.ts'
import type { Message, Sink } from './sink.ts'

/** Records and characters sent at once. */
const BATCH_RECORDS = 500
const BATCH_CHARS = 1_048_576
/** How often the end of the log is looked at, ms. */
const FOLLOW_MS = 500
/** The pauses before a receiver is asked again, ms. */
const RETRY_MS = 500
const RETRY_MS_MAX = 30_000

export interface ExportRun {
  /** Of the log. */
  readonly directory: string
  readonly format: ExportFormat
  readonly sink: Sink
  /** File that keeps where it stands; null: from the beginning, and nothing is kept. */
  readonly cursor: string | null
  /** Goes on with new records; otherwise it ends where the log does now. */
  readonly follow: boolean
  readonly stop: AbortSignal
  /** A receiver begins to fail, with the error, or takes records again, with null. */
  readonly onState: (error: Error | null) => void
}

/** Ends when stopped, or when all is sent and `follow` is false. @throws GatewayError config: no cursor */
export async function runExport(run: ExportRun): Promise<void> {
  const { directory, format, cursor, stop } = run
  const exported = new Exported(format)
  let at = cursor === null ? null : readCursor(cursor)
  if (at !== null) passUpTo(directory, at, exported)
  try {
    // Stopped: what the log holds by then is still offered, once.
    for (;;) {
      let batch: Message[] = []
      let chars = 0
      for (const { record, next } of recordsFrom(directory, at)) {
        const line = exported.line(record)
        batch.push({ record, line })
        chars += line.length
        at = next
        if (batch.length < BATCH_RECORDS && chars < BATCH_CHARS) continue
        if (!(await deliver(run, batch, at))) return
        batch = []
        chars = 0
      }
      if (batch.length > 0 && at !== null && !(await deliver(run, batch, at))) return
      if (!run.follow || stop.aborted) return
      await pause(FOLLOW_MS, undefined, { signal: stop }).catch(() => undefined)
    }
  } finally {
    run.sink.close()
  }
}

/** Until it is taken. False: it was stopped before that. */
async function deliver(run: ExportRun, batch: readonly Message[], reached: LogPosition) {
  const { sink, stop, onState, cursor } = run
  for (let attempt = 0; ; attempt++) {
    try {
      await sink.send(batch)
      if (attempt > 0) onState(null)
      if (cursor !== null) writeCursor(cursor, reached)
      return true
    } catch (error) {
      if (attempt === 0) onState(error instanceof Error ? error : new Error(String(error)))
      if (stop.aborted) return false
      const wait = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(attempt, 10))
      await pause(wait, undefined, { signal: stop }).catch(() => undefined)
      if (stop.aborted) return false
    }
  }
}

/** Who the sessions are that go on behind it, as far as its segment says. */
function passUpTo(directory: string, at: LogPosition, exported: Exported): void {
  for (const { record, next } of recordsFrom(directory, { segment: at.segment, offset: 0 })) {
    if (next.segment !== at.segment || next.offset > at.offset) return
    exported.pass(record)
  }
}

export function readCursor(file: string): LogPosition | null {
  if (!existsSync(file)) return null
  const [segment, offset] = readFileSync(file, 'utf8').trim().split(' ').map(Number)
  if (Number.isSafeInteger(segment) && Number.isSafeInteger(offset)) {
    return { segment: segment ?? 1, offset: offset ?? 0 }
  }
  throw new GatewayError('config', `\`${file}\` is no cursor of an export`)
}

/** The file that keeps where a configured export stands. */
export function exportCursor(stateDirectory: string, name: string): string {
  return join(stateDirectory, 'exports', name)
}

/** The first segment that one of these exports still needs. @throws GatewayError config: no cursor */
export function exportedUpTo(cursors: readonly string[]): number {
  const segments = cursors.map((cursor) => readCursor(cursor)?.segment ?? 1)
  return Math.min(Number.MAX_SAFE_INTEGER, ...segments)
}

/** Whole or not at all. */
function writeCursor(file: string, { segment, offset }: LogPosition): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(`${file}.new`, `${segment} ${offset}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
