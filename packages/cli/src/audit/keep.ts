/**
 * `audit hold`, `audit erase` and `audit rotate-key`: what keeps a session's recording, what ends one, and another signing
 * key. All stand in the log, which has one writer: the gateway that runs over it is asked, and where none does the
 * command writes the log itself.
 */
import { join } from 'node:path'
import { type AuditLog, type DeskRequest, eraseRecording, openAuditLog } from '@sallyport/audit'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { readConfig } from '../files.ts'
import { askGateway } from './desk.ts'
import type { EraseFlags, HoldFlags, ReadingFlags } from './flags.ts'
import { directoryOf, openReader, sessionOf } from './read.ts'

export async function hold(id: string, flags: HoldFlags, cli: Cli): Promise<ExitCode> {
  const directory = await directoryOf(flags, cli)
  const session = await wholeId(id, directory)
  const state = flags.lift === true ? 'lifted' : 'placed'
  const { by, reason } = flags
  await change(directory, { do: 'hold', session, state, by, reason }, cli, async (log) => {
    log.append({ type: 'legal-hold', v: 1, session, state, by, reason })
    log.flush('fdatasync')
    return `legal hold ${state} on session ${session}`
  })
  return EXIT.ok
}

export async function erase(id: string, flags: EraseFlags, cli: Cli): Promise<ExitCode> {
  const directory = await directoryOf(flags, cli)
  const session = await wholeId(id, directory)
  const recordings = await recordingsOf(flags, directory, cli)
  const what = flags.keyOnly === true ? 'key' : 'recording'
  const { by, reason } = flags
  await change(directory, { do: 'erase', session, what, by, reason }, cli, async (log) => {
    await eraseRecording({ directory: recordings, log, session, what, by, reason })
    return `the ${what} of session ${session} is destroyed`
  })
  return EXIT.ok
}

export async function rotateKey(flags: ReadingFlags, cli: Cli): Promise<ExitCode> {
  await change(await directoryOf(flags, cli), { do: 'rotate-key' }, cli, async (log) => {
    const { from, to, seq } = await log.rotateKey()
    return `key ${to} has taken the place of ${from}, from record ${seq} on`
  })
  return EXIT.ok
}

/** `alone`: the same where no gateway runs. Both say what was done. */
async function change(
  directory: string,
  request: DeskRequest,
  cli: Cli,
  alone: (log: AuditLog) => Promise<string>,
): Promise<void> {
  const said = await askGateway(directory, request)
  if (said !== null) {
    cli.out.line(said)
    return
  }
  const log = await openAuditLog({ directory, now: cli.now, index: false })
  try {
    cli.out.line(await alone(log))
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
