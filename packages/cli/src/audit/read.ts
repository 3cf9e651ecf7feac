/** Reading the trail: tail, show, search, sessions. */
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import {
  AuditError,
  type AuditReader,
  type AuditRecord,
  openAuditReader,
  openSharedReader,
  type Page,
  SEARCH_FIELDS,
  type SearchQuery,
  type SessionsQuery,
} from '@sallyport/audit'
import type { Cli } from '../context.ts'
import { formatMoment, momentOf } from '../duration.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { readConfig } from '../files.ts'
import { counted, countOf } from '../numbers.ts'
import { jsonLine, styled } from '../output.ts'
import { lasted, RECORD_COLUMNS, recordRow, SESSION_PREFIX_CHARS, shortId } from './describe.ts'
import { noteReading } from './desk.ts'
import type {
  FilterFlags,
  ReadingFlags,
  SearchFlags,
  SessionsFlags,
  ShowFlags,
  TailFlags,
} from './flags.ts'

/** Rows one command asks the index for; it answers no more. */
const ROWS_MAX = 1_000
/** How often `--follow` looks for new records, milliseconds. */
const FOLLOW_MS = 250

export async function tail(flags: TailFlags, cli: Cli): Promise<ExitCode> {
  const lines = countOf(flags.lines ?? '20', { flag: '--lines', min: 1, max: ROWS_MAX })
  const reader = await readerOf(flags, cli, { action: 'tail', query: {} })
  try {
    const place = await reader.newest()
    const { items } = await reader.search({ before: place + 1, limit: lines })
    printRecords(items.toReversed(), { flags, cli, header: true })
    if (items.length < lines) await noteRemoved(reader, {}, cli)
    if (flags.follow === true) await follow(reader, place, flags, cli)
    return EXIT.ok
  } finally {
    await reader.close()
  }
}

async function follow(
  reader: AuditReader,
  from: number,
  flags: ReadingFlags,
  cli: Cli,
): Promise<void> {
  for (let after = from; !cli.stop.aborted; ) {
    const { items, next } = await reader.since(after)
    printRecords(items, { flags, cli, header: false })
    if (next === null) {
      await pause(FOLLOW_MS, undefined, { signal: cli.stop }).catch(() => undefined)
    } else after = next
  }
}

export async function show(what: string, flags: ShowFlags, cli: Cli): Promise<ExitCode> {
  const reader = await readerOf(flags, cli, { action: 'show', query: { what } })
  try {
    const found = await sessionOf(what, reader)
    if (/^\d{1,15}$/.test(what) && found === null) {
      const { gateway } = flags
      const shown = await reader.show(Number(what), gateway === undefined ? {} : { gateway })
      printWhole(shown, flags, cli)
      return EXIT.ok
    }
    const session = found ?? what
    let next: number | null = 0
    let header = true
    while (next !== null) {
      const page: Page<AuditRecord> = await reader.showSession(session, {
        after: next,
        limit: ROWS_MAX,
      })
      if (header) await noteBeginning(session, page.items[0], reader, cli)
      printRecords(page.items, { flags, cli, header })
      header = false
      next = page.next
    }
    return EXIT.ok
  } catch (error) {
    if (error instanceof AuditError && error.code === 'not-found') {
      await noteRemoved(reader, flags, cli)
    }
    throw error
  } finally {
    await reader.close()
  }
}

/** A session older than the first of its records that is left. */
async function noteBeginning(
  session: string,
  first: AuditRecord | undefined,
  reader: AuditReader,
  cli: Cli,
): Promise<void> {
  const [known] = (await reader.sessions({ session, limit: 1 })).items
  if (known === undefined || first === undefined) return
  await noteRemoved(reader, { since: known.startedAt, until: first.at }, cli)
}

/** The one session whose id begins so; null when there is none, or several. */
export async function sessionOf(prefix: string, reader: AuditReader): Promise<string | null> {
  if (prefix.length < SESSION_PREFIX_CHARS || prefix.length >= 36) return null
  const { items } = await reader.sessions({ prefix, limit: 2 })
  return items.length === 1 ? (items[0]?.session ?? null) : null
}

export async function search(
  words: readonly string[],
  flags: SearchFlags,
  cli: Cli,
): Promise<ExitCode> {
  const filter = filterOf(flags, cli)
  const query = { ...filter, ...(words.length > 0 && { text: words.join(' ') }) }
  const reader = await readerOf(flags, cli, { action: 'search', query })
  try {
    const { items, next } = await reader.search(query)
    printRecords(items, { flags, cli, header: true })
    if (items.length === 0) cli.out.note('nothing found')
    await noteRemoved(reader, query, cli)
    if (next !== null) cli.out.note(`there is more: --before ${next}`)
    return items.length === 0 ? EXIT.notOk : EXIT.ok
  } finally {
    await reader.close()
  }
}

/** What a question could have found, had it not been past its time. */
async function noteRemoved(
  reader: AuditReader,
  query: Pick<SearchQuery, 'gateway' | 'since' | 'until'>,
  cli: Cli,
): Promise<void> {
  for (const { gateway, records, since, until, ...one } of await reader.removed(query)) {
    const where = gateway === null ? '' : ` of ${gateway}`
    const when = `${formatMoment(since)} to ${formatMoment(until)}`
    const who = one.by === null ? '' : ` by ${one.by}`
    const why = one.keepDays === null ? '' : ` (keep-days: ${one.keepDays})`
    cli.out.note(
      `${counted(records, 'record')}${where} of ${when}, between ${one.first} and ${one.last}, ` +
        `were removed${who}${why}`,
    )
  }
}

/** The flags that records and sessions share, as a question. */
export function filterOf(flags: FilterFlags, cli: Cli): SearchQuery & SessionsQuery {
  const { verdict, since, until, before } = flags
  if (verdict !== undefined && !isVerdict(verdict)) {
    throw new CliError('usage', '--verdict takes allow, deny or approve')
  }
  const now = cli.now()
  const same = SEARCH_FIELDS.filter((name) => flags[name] !== undefined).map((name) => [
    name,
    flags[name],
  ])
  return {
    ...Object.fromEntries(same),
    ...(verdict !== undefined && { verdict }),
    ...(since !== undefined && { since: momentOf(since, '--since', now) }),
    ...(until !== undefined && { until: momentOf(until, '--until', now) }),
    ...(before !== undefined && {
      before: countOf(before, { flag: '--before', min: 1, max: Number.MAX_SAFE_INTEGER }),
    }),
    limit: countOf(flags.limit ?? '50', { flag: '--limit', min: 1, max: ROWS_MAX }),
  }
}

const isVerdict = (text: string): text is 'allow' | 'deny' | 'approve' =>
  ['allow', 'deny', 'approve'].includes(text)

export async function sessions(flags: SessionsFlags, cli: Cli): Promise<ExitCode> {
  const query = { ...filterOf(flags, cli), ...(flags.live === true && { live: true }) }
  const reader = await readerOf(flags, cli, { action: 'sessions', query })
  try {
    const { items, next } = await reader.sessions(query)
    if (next !== null) cli.out.note(`there is more: --before ${next}`)
    await noteRemoved(reader, query, cli)
    if (flags.json === true) {
      for (const item of items) cli.out.raw(`${jsonLine(item)}\n`)
      return EXIT.ok
    }
    cli.out.table(
      [
        { title: 'session' },
        { title: 'started (UTC)' },
        { title: 'lasted' },
        { title: 'subject', max: 40 },
        { title: 'role' },
        { title: 'connection' },
        { title: 'client' },
        { title: 'statements', align: 'right' },
        { title: 'refused', align: 'right' },
        { title: 'rows', align: 'right' },
      ],
      items.map((item) => [
        shortId(item.session),
        formatMoment(item.startedAt).replace(/Z$/, ''),
        lasted(item.startedAt, item.endedAt),
        item.subject ?? '-',
        item.role ?? '-',
        item.connection ?? '-',
        item.client ?? '-',
        String(item.statements),
        item.refused === 0 ? '0' : styled('red', String(item.refused)),
        String(item.rows),
      ]),
    )
    return EXIT.ok
  } finally {
    await reader.close()
  }
}

export async function directoryOf(flags: ReadingFlags, cli: Cli): Promise<string> {
  if ((flags.config === undefined) === (flags.dir === undefined)) {
    throw new CliError('usage', 'say where the trail is: --config FILE or --dir DIRECTORY')
  }
  const directory = flags.dir ?? (await readConfig(flags.config ?? '', cli)).audit.directory
  if (!existsSync(directory)) throw new CliError('usage', `there is no directory \`${directory}\``)
  return directory
}

/** The index of this gateway's log, or with --shared that of all. */
async function readerOf(
  flags: ReadingFlags,
  cli: Cli,
  what: { readonly action: string; readonly query: object },
): Promise<AuditReader> {
  const directory = await directoryOf(flags, cli)
  await noteReading(directory, what, flags, cli)
  if (flags.shared !== true) return openReader(directory)
  if (flags.config === undefined) throw new CliError('usage', '--shared needs --config FILE')
  const { store } = await readConfig(flags.config, cli)
  const { createSecrets, sharedIndexOf } = await import('@sallyport/gateway')
  const shared = await sharedIndexOf(store, createSecrets({ now: cli.now }))
  if (shared === null) throw new CliError('config', `\`${flags.config}\` shares no records`)
  return openSharedReader(shared.database)
}

/** Brings the index up to date first where this account may; else what the gateway indexed will do. */
export async function openReader(directory: string): Promise<AuditReader> {
  try {
    return await openAuditReader({ directory, update: true })
  } catch (error) {
    if (error instanceof AuditError && error.code !== 'index-unavailable') throw error
    return openAuditReader({ directory })
  }
}

function printRecords(
  records: readonly AuditRecord[],
  { flags, cli, header }: { flags: ReadingFlags; cli: Cli; header: boolean },
): void {
  if (flags.json === true) {
    for (const record of records) cli.out.raw(`${jsonLine(record)}\n`)
    return
  }
  if (records.length > 0) cli.out.table(RECORD_COLUMNS, records.map(recordRow), { header })
}

/** Every field of each record, one a line. */
function printWhole(records: readonly AuditRecord[], flags: ReadingFlags, cli: Cli): void {
  if (flags.json === true) {
    printRecords(records, { flags, cli, header: false })
    return
  }
  for (const { seq, at, event } of records) {
    const { type, v: _, ...fields } = event
    cli.out.line([styled('bold', `${seq} ${type}`), styled('dim', `  ${formatMoment(at)}`)])
    for (const [name, value] of Object.entries(fields)) {
      if (name === 'sql' && typeof value === 'string' && value.includes('\n')) {
        cli.out.line(`  ${name}`)
        cli.out.block(value, '    ')
      } else {
        const text = typeof value === 'string' ? value : JSON.stringify(value)
        cli.out.line(['  ', styled('dim', name.padEnd(16)), text])
      }
    }
  }
}
