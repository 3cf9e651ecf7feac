/**
 * `audit export`: the log for a SIEM, as JSON Lines or ECS, to stdout or to a URL. Where it stands can be kept in
 * a file, so that it goes on there after a restart: at least once, never out of order. What is slow waits for the
 * reader; the gateway does not wait for anybody.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { type AuditRecord, ecsOf, type LogPosition, recordsFrom } from '@sallyport/audit'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { jsonLine } from '../output.ts'
import type { ExportFlags } from './flags.ts'
import { directoryOf } from './read.ts'

/** Records sent at once. */
const BATCH_RECORDS = 500
const FOLLOW_MS = 500
/** One answer of a URL, and the longest pause before it is asked again. */
const SEND_MS_MAX = 15_000
const RETRY_MS_MAX = 30_000

const FORMATS = {
  jsonl: (record: AuditRecord): unknown => record,
  ecs: (record: AuditRecord): unknown => ecsOf(record),
} as const

type Send = (lines: readonly string[]) => Promise<void>

export async function exportLog(flags: ExportFlags, cli: Cli): Promise<ExitCode> {
  const directory = await directoryOf(flags, cli)
  const format = formatOf(flags.format ?? 'jsonl')
  const send = senderOf(flags, cli)
  let at = flags.cursor === undefined ? null : readCursor(flags.cursor)
  for (;;) {
    let lines: string[] = []
    for (const { record, next } of recordsFrom(directory, at)) {
      lines.push(jsonLine(format(record)))
      at = next
      if (lines.length < BATCH_RECORDS) continue
      await deliver(lines, at)
      lines = []
      if (cli.stop.aborted) return EXIT.ok
    }
    if (lines.length > 0 && at !== null) await deliver(lines, at)
    if (flags.follow !== true || cli.stop.aborted) return EXIT.ok
    await pause(FOLLOW_MS, undefined, { signal: cli.stop }).catch(() => undefined)
  }

  async function deliver(lines: readonly string[], reached: LogPosition): Promise<void> {
    await send(lines)
    if (flags.cursor !== undefined) writeCursor(flags.cursor, reached)
  }
}

function formatOf(name: string): (record: AuditRecord) => unknown {
  if (name === 'jsonl' || name === 'ecs') return FORMATS[name]
  throw new CliError('usage', '--format takes jsonl or ecs')
}

function senderOf({ to }: ExportFlags, cli: Cli): Send {
  if (to === undefined) {
    return async (lines) => cli.out.raw(`${lines.join('\n')}\n`)
  }
  const url = URL.canParse(to) ? new URL(to) : null
  const isSafe =
    url?.protocol === 'https:' || ['127.0.0.1', 'localhost', '[::1]'].includes(url?.hostname ?? '')
  if (url === null || !isSafe)
    throw new CliError('usage', '--to takes an https URL, or one of this machine')
  return (lines) => post(url, lines, cli)
}

/** Until it is taken: a receiver that is down loses nothing. */
async function post(url: URL, lines: readonly string[], cli: Cli): Promise<void> {
  const body = `${lines.join('\n')}\n`
  for (let attempt = 0; ; attempt++) {
    const why = await tryPost(url, body)
    if (why === null) return
    if (attempt === 0) cli.out.note(`${url.host}: ${why}; trying again`)
    if (cli.stop.aborted)
      throw new CliError('unavailable', `${url.host} does not take records: ${why}`)
    const wait = Math.min(RETRY_MS_MAX, 500 * 2 ** attempt)
    await pause(wait, undefined, { signal: cli.stop }).catch(() => undefined)
  }
}

async function tryPost(url: URL, body: string): Promise<string | null> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(SEND_MS_MAX),
    })
    await answer.body?.cancel()
    return answer.ok ? null : `status ${answer.status}`
  } catch (error) {
    return error instanceof Error ? error.message : 'failed'
  }
}

function readCursor(file: string): LogPosition | null {
  if (!existsSync(file)) return null
  const [segment, offset] = readFileSync(file, 'utf8').trim().split(' ').map(Number)
  if (Number.isSafeInteger(segment) && Number.isSafeInteger(offset)) {
    return { segment: segment ?? 1, offset: offset ?? 0 }
  }
  throw new CliError('usage', `\`${file}\` is no cursor of an export`)
}

/** Whole or not at all. */
function writeCursor(file: string, { segment, offset }: LogPosition): void {
  writeFileSync(`${file}.new`, `${segment} ${offset}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
