/**
 * `audit hold` and `audit erase`: what keeps a session's recording, and what ends it. Both stand in the log, so
 * both need it to themselves: not while a gateway writes it.
 */
import { join } from 'node:path'
import { type AuditLog, eraseRecording, openAuditLog } from '@sallyport/audit'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { readConfig } from '../files.ts'
import type { EraseFlags, HoldFlags, ReadingFlags } from './flags.ts'
import { directoryOf, openReader, sessionOf } from './read.ts'

export async function hold(id: string, flags: HoldFlags, cli: Cli): Promise<ExitCode> {
  const state = flags.lift === true ? 'lifted' : 'placed'
  await changing(id, flags, cli, async (log, session) => {
    const { by, reason } = flags
    log.append({ type: 'legal-hold', v: 1, session, state, by, reason })
    log.flush('fdatasync')
    cli.out.line(`legal hold ${state} on session ${session}`)
  })
  return EXIT.ok
}

export async function erase(id: string, flags: EraseFlags, cli: Cli): Promise<ExitCode> {
  const what = flags.keyOnly === true ? 'key' : 'recording'
  await changing(id, flags, cli, async (log, session, directory) => {
    const { by, reason } = flags
    await eraseRecording({ directory, log, session, what, by, reason })
    cli.out.line(`the ${what} of session ${session} is destroyed`)
  })
  return EXIT.ok
}

/** The log, open for writing, with the whole id of the session. Throws AuditError `locked` while a gateway runs. */
async function changing(
  id: string,
  flags: ReadingFlags,
  cli: Cli,
  change: (log: AuditLog, session: string, recordings: string) => Promise<void>,
): Promise<void> {
  const directory = await directoryOf(flags, cli)
  const session = await wholeId(id, directory)
  const config = flags.config === undefined ? null : await readConfig(flags.config, cli)
  const recordings = config?.audit.recordings.directory ?? join(directory, 'recordings')
  const log = await openAuditLog({ directory, now: cli.now, index: false })
  try {
    await change(log, session, recordings)
  } finally {
    await log.close()
  }
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
