/**
 * `audit hold`, `audit erase`, `audit prune`, `audit rotate-key` and `audit rewrap`: what keeps records and recordings, what ends
 * them, and other keys. All stand in the log, which has one writer: the gateway that runs over it is asked, and where none does the
 * command writes the log itself.
 */
import { userInfo } from 'node:os'
import { join } from 'node:path'
import {
  type AuditLog,
  type DeskRequest,
  eraseRecording,
  type HoldTarget,
  openAuditLog,
  type Pruned,
  pruneLog,
  type Reason,
  type Rewrapped,
  rewrapRecordings,
  wrappingKey,
} from '@sallyport/audit'
import type { GatewayConfig } from '@sallyport/gateway'
import type { Cli } from '../context.ts'
import { formatMoment, momentOf } from '../duration.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { readConfig } from '../files.ts'
import { counted } from '../numbers.ts'
import { askGateway } from './desk.ts'
import type { EraseFlags, HoldFlags, PruneFlags, ReadingFlags, RewrapFlags } from './flags.ts'
import { directoryOf, openReader, sessionOf } from './read.ts'

export async function hold(id: string | undefined, flags: HoldFlags, cli: Cli): Promise<ExitCode> {
  const directory = await directoryOf(flags, cli)
  const on = await targetOf(id, flags, directory, cli)
  const state = flags.lift === true ? 'lifted' : 'placed'
  const { by, reason } = flags
  await change(directory, flags, { do: 'hold', on, state, by, reason }, cli, async (log) => {
    log.append({ type: 'legal-hold', v: 1, ...on, state, by, reason })
    log.flush('fdatasync')
    return `legal hold ${state}`
  })
  return EXIT.ok
}

/** A session, a subject, or a stretch of time: one of them. */
async function targetOf(
  id: string | undefined,
  { subject, since, until }: HoldFlags,
  directory: string,
  cli: Cli,
): Promise<HoldTarget> {
  const targets: HoldTarget[] = []
  if (id !== undefined) targets.push({ session: await wholeId(id, directory) })
  if (subject !== undefined) targets.push({ subject })
  if (since !== undefined && until !== undefined) {
    const now = cli.now()
    const time = { since: momentOf(since, '--since', now), until: momentOf(until, '--until', now) }
    if (time.since >= time.until) throw new CliError('usage', '--since must be before --until')
    targets.push({ time })
  } else if (since !== undefined || until !== undefined) {
    throw new CliError('usage', '--since and --until go together')
  }
  const [target] = targets
  if (target !== undefined && targets.length === 1) return target
  throw new CliError('usage', 'name what is held: SESSION, --subject, or --since and --until')
}

/** The retention of the configuration, now; or what it would remove. */
export async function prune(flags: PruneFlags, cli: Cli): Promise<ExitCode> {
  if (flags.config === undefined) throw new CliError('usage', 'retention is in --config FILE')
  const { audit, stateDirectory } = await readConfig(flags.config, cli)
  if (audit.keepDays === null) {
    throw new CliError('config', `\`${flags.config}\` keeps records for ever: audit.keep-days`)
  }
  const by = userInfo().username
  const dryRun = flags.dryRun === true
  const said = await askGateway(audit.directory, { do: 'prune', by, dryRun })
  // Safe: the gateway answers with exactly this.
  const pruned = said === null ? await pruneAlone() : (JSON.parse(said) as Pruned)
  if (flags.json === true) cli.out.json(pruned)
  else printPruned(pruned, dryRun, cli)
  return EXIT.ok

  async function pruneAlone(): Promise<Pruned> {
    const { exportCursor, exportedUpTo } = await import('@sallyport/gateway')
    const { directory, keepDays, exports } = audit
    const kept = keepDays === null ? {} : { keepDays }
    const log = await openAuditLog({ directory, now: cli.now, index: false, ...kept })
    const keepFrom = exportedUpTo(exports.map(({ name }) => exportCursor(stateDirectory, name)))
    try {
      const recordings = audit.recordings.directory
      const clock = { recordings, now: cli.now() }
      return await pruneLog({ log, ...clock, by, keepFrom, dryRun, inThread: false })
    } finally {
      await log.close()
    }
  }
}

function printPruned({ removed, keep, more }: Pruned, dryRun: boolean, { out }: Cli): void {
  const what = dryRun ? 'would go' : 'removed'
  const rows = [
    ...removed.map((one) => ({ one, what })),
    ...keep.map((one) => ({ one, what: `stays: ${KEPT[one.why]}` })),
  ].toSorted((a, b) => a.one.segment - b.one.segment)
  out.table(
    [
      { title: 'segment', align: 'right' },
      { title: 'records', align: 'right' },
      { title: 'from (UTC)' },
      { title: 'to (UTC)' },
      { title: '' },
    ],
    rows.map(({ one, what: word }) => [
      String(one.segment),
      String(one.records),
      formatMoment(one.since).replace(/Z$/, ''),
      formatMoment(one.until).replace(/Z$/, ''),
      word,
    ]),
  )
  if (rows.length === 0) out.note('nothing is past its time')
  if (more) out.note('there is more: run it again')
}

const KEPT: Readonly<Record<Reason, string>> = {
  'legal-hold': 'legal hold',
  recordings: 'proves recordings that are still there',
  export: 'not exported yet',
  damaged: 'does not verify',
}

export async function erase(id: string, flags: EraseFlags, cli: Cli): Promise<ExitCode> {
  const directory = await directoryOf(flags, cli)
  const session = await wholeId(id, directory)
  const recordings = await recordingsOf(flags, directory, cli)
  const what = flags.keyOnly === true ? 'key' : 'recording'
  const { by, reason } = flags
  await change(directory, flags, { do: 'erase', session, what, by, reason }, cli, async (log) => {
    await eraseRecording({ directory: recordings, log, session, what, by, reason })
    return `the ${what} of session ${session} is destroyed`
  })
  return EXIT.ok
}

export async function rotateKey(flags: ReadingFlags, cli: Cli): Promise<ExitCode> {
  await change(await directoryOf(flags, cli), flags, { do: 'rotate-key' }, cli, async (log) => {
    const { from, to, seq } = await log.rotateKey()
    return `key ${to} has taken the place of ${from}, from record ${seq} on`
  })
  return EXIT.ok
}

/** Run after run until no data key is left under a key of before that is known. */
export async function rewrap(flags: RewrapFlags, cli: Cli): Promise<ExitCode> {
  if (flags.config === undefined) throw new CliError('usage', 'the keys are in --config FILE')
  const { audit } = await readConfig(flags.config, cli)
  const by = userInfo().username
  let total = 0
  for (;;) {
    const said = await askGateway(audit.directory, { do: 'rewrap', by })
    // Safe: the gateway answers with exactly this.
    const done = said === null ? await rewrapAlone(audit, by, cli) : (JSON.parse(said) as Rewrapped)
    total += done.rewrapped
    if (done.left === 0 || done.rewrapped === 0) {
      return tellRewrapped({ ...done, rewrapped: total }, flags, cli)
    }
  }
}

async function rewrapAlone(
  { directory, recordings }: GatewayConfig['audit'],
  by: string,
  cli: Cli,
): Promise<Rewrapped> {
  const { createSecrets, recordingKey } = await import('@sallyport/gateway')
  const secrets = createSecrets({ now: cli.now })
  const keyOf = async (one: string) => wrappingKey(await recordingKey(secrets, one))
  const { key, previousKeys } = recordings
  if (key === null) throw new CliError('config', 'audit.recordings has no key')
  const [to, from] = [await keyOf(key), await Promise.all(previousKeys.map(keyOf))]
  const log = await openAuditLog({ directory, now: cli.now, index: false })
  try {
    return await rewrapRecordings({ directory: recordings.directory, log, to, from, by })
  } finally {
    await log.close()
  }
}

/** Whether the keys of before may go. */
function tellRewrapped(done: Rewrapped, { json }: RewrapFlags, { out }: Cli): ExitCode {
  const { rewrapped, journals, unopened } = done
  const needed = Object.entries(unopened)
  const isOver = journals === 0 && needed.length === 0
  if (json === true) out.json(done)
  else {
    out.line(`${counted(rewrapped, 'key')} wrapped anew`)
    for (const [id, count] of needed) {
      const which = id === '' ? 'are damaged' : `need key ${id}, which is not among previous-keys`
      out.note(`${counted(count, 'key')}: ${which}`)
    }
    if (journals > 0) {
      out.note(
        `${counted(journals, 'journal')} of a gateway that was killed: start it with the earlier keys, then run this again`,
      )
    }
    if (isOver) out.note('every recording is under audit.recordings.key: previous-keys may go')
  }
  return isOver ? EXIT.ok : EXIT.notOk
}

/** `alone`: the same where no gateway runs. Both say what was done. */
async function change(
  directory: string,
  { json }: ReadingFlags,
  request: DeskRequest,
  cli: Cli,
  alone: (log: AuditLog) => Promise<string>,
): Promise<void> {
  const tell = (said: string): void => {
    if (json === true) cli.out.json({ ...request, said })
    else cli.out.line(said)
  }
  const said = await askGateway(directory, request)
  if (said !== null) return tell(said)
  const log = await openAuditLog({ directory, now: cli.now, index: false })
  try {
    tell(await alone(log))
  } finally {
    await log.close()
  }
}

async function recordingsOf(flags: ReadingFlags, directory: string, cli: Cli): Promise<string> {
  if (flags.config === undefined) return join(directory, 'recordings')
  return (await readConfig(flags.config, cli)).audit.recordings.directory
}

async function wholeId(id: string, directory: string): Promise<string> {
  const reader = await openReader(directory)
  try {
    const session = (await sessionOf(id, reader)) ?? id
    const { items } = await reader.sessions({ session, limit: 1 })
    if (items.length === 0) throw new CliError('usage', `there is no session \`${id}\``)
    return session
  } finally {
    await reader.close()
  }
}
