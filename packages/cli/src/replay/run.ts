/** `replay`: finds the session, its records and its recording, and hands them to whatever was asked for. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  type AuditReader,
  type AuditRecord,
  type RecordingFrame,
  readRecording,
  recordingPath,
  type WrappingKey,
  wrappingKey,
} from '@sallyport/audit'
import { noteReading } from '../audit/desk.ts'
import { directoryOf, filterOf, openReader, sessionOf } from '../audit/read.ts'
import type { Cli } from '../context.ts'
import { durationOf, formatMoment } from '../duration.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { readConfig, readText } from '../files.ts'
import { countOf } from '../numbers.ts'
import { jsonLine } from '../output.ts'
import type { ReplayFlags } from './flags.ts'
import { asciicastOf, csvOf, jsonOf } from './formats.ts'
import { IDLE_MS_DEFAULT, play } from './player.ts'
import { linesOf, type ScreenOptions, TABLE_ROWS_DEFAULT } from './screen.ts'
import { RESULT_ROWS_MAX, recordsOf, type Step, stepsOf } from './steps.ts'

const WIDTH_DEFAULT = 120
const HEIGHT_DEFAULT = 40

export async function replay(
  id: string | undefined,
  flags: ReplayFlags,
  cli: Cli,
): Promise<ExitCode> {
  const directory = await directoryOf(flags, cli)
  const query = id === undefined ? filterOf(flags, cli) : { session: id }
  await noteReading(directory, { action: 'replay', query }, flags, cli)
  const reader = await openReader(directory)
  try {
    if (flags.policy !== undefined) {
      const { replayPolicy } = await import('./policy.ts')
      return await replayPolicy(await sessionNamed(id, reader), reader, flags, cli)
    }
    if (id === undefined) throw new CliError('usage', 'say which session')
    const session = (await sessionNamed(id, reader)) ?? id
    const steps = await stepsFor(session, { directory, reader, flags, cli })
    return await show(steps, session, flags, cli)
  } finally {
    await reader.close()
  }
}

async function sessionNamed(id: string | undefined, reader: AuditReader): Promise<string | null> {
  if (id === undefined) return null
  return (await sessionOf(id, reader)) ?? id
}

async function stepsFor(
  session: string,
  at: { directory: string; reader: AuditReader; flags: ReplayFlags; cli: Cli },
): Promise<AsyncIterable<Step>> {
  const { flags, cli } = at
  const config = flags.config === undefined ? null : await readConfig(flags.config, cli)
  const directory =
    flags.recordings ?? config?.audit.recordings.directory ?? join(at.directory, 'recordings')
  const { replayFrames } = await import('@sallyport/gateway')
  let frames: Iterable<RecordingFrame> | null = null
  const erased = await erasedOf(session, at.reader)
  if (erased !== null) {
    const { by, reason } = erased.event
    const when = formatMoment(erased.at)
    cli.out.note(
      `its recording was destroyed on ${when} by ${by}: ${reason}; its records are shown`,
    )
  } else if (existsSync(recordingPath(directory, session))) {
    const keys = await keysOf(flags, config?.audit.recordings ?? null, cli)
    frames = readRecording({ directory, session, keys })
  } else if ((await at.reader.sessions({ session, limit: 1 })).items.length > 0) {
    cli.out.note('this session was not recorded: only its records are shown')
  }
  return stepsOf(recordsOf(at.reader, session), frames === null ? null : replayFrames(frames))
}

/** The record that says so of a session's recording or its key; null: there is none. */
async function erasedOf(session: string, reader: AuditReader): Promise<AuditRecord | null> {
  const { items } = await reader.search({ session, type: 'recording-erased', limit: 1 })
  return items[0] ?? null
}

async function keysOf(
  flags: ReplayFlags,
  recordings: { readonly key: string | null; readonly previousKeys: readonly string[] } | null,
  cli: Cli,
): Promise<readonly WrappingKey[]> {
  if (flags.keyFile !== undefined) {
    return [wrappingKey(Buffer.from((await readText(flags.keyFile)).trim(), 'base64'))]
  }
  if (recordings === null) return []
  const { key, previousKeys } = recordings
  const { createSecrets, recordingKey } = await import('@sallyport/gateway')
  const secrets = createSecrets({ now: cli.now })
  const references = key === null ? previousKeys : [key, ...previousKeys]
  const keys = await Promise.all(references.map((one) => recordingKey(secrets, one)))
  return keys.map(wrappingKey)
}

async function show(
  steps: AsyncIterable<Step>,
  session: string,
  flags: ReplayFlags,
  cli: Cli,
): Promise<ExitCode> {
  const { out } = cli
  if (flags.against !== undefined) {
    const { replayAgainst } = await import('./against.ts')
    return replayAgainst(steps, flags.against, flags, cli)
  }
  const screen = screenOf(flags, cli)
  const idleMs = flags.idle === undefined ? IDLE_MS_DEFAULT : durationOf(flags.idle, '--idle')
  if (flags.json === true) {
    for await (const step of steps) out.raw(`${jsonLine(jsonOf(step))}\n`)
  } else if (flags.csv === true) {
    await printCsv(steps, flags, cli)
  } else if (flags.asciicast === true) {
    const title = `sallyport session ${session}`
    const cast = asciicastOf(steps, { ...screen, height: HEIGHT_DEFAULT, idleMs, title })
    for await (const line of cast) out.raw(line)
  } else {
    const speed = speedOf(flags, out.interactive)
    await play(steps, { speed, idleMs, cli, render: (step) => linesOf(step, screen) })
  }
  return EXIT.ok
}

async function printCsv(steps: AsyncIterable<Step>, flags: ReplayFlags, cli: Cli): Promise<void> {
  const only =
    flags.statement === undefined
      ? null
      : countOf(flags.statement, { flag: '--statement', min: 1, max: Number.MAX_SAFE_INTEGER })
  let count = 0
  for await (const step of steps) {
    if (step.kind !== 'result' || step.result.columns.length === 0) continue
    if (only !== null && step.statement !== only) continue
    cli.out.raw(count++ === 0 ? csvOf(step) : `\r\n${csvOf(step)}`)
  }
}

function screenOf(flags: ReplayFlags, cli: Cli): ScreenOptions {
  const rows =
    flags.rows === undefined
      ? TABLE_ROWS_DEFAULT
      : flags.rows === 'all'
        ? RESULT_ROWS_MAX
        : countOf(flags.rows, { flag: '--rows', min: 0, max: RESULT_ROWS_MAX })
  return { rows, width: cli.out.width ?? WIDTH_DEFAULT }
}

/** Null: without waiting. */
function speedOf(flags: ReplayFlags, interactive: boolean): number | null {
  if (flags.speed === undefined) return interactive ? 1 : null
  if (flags.speed === 'max') return null
  const speed = Number(flags.speed)
  if (Number.isFinite(speed) && speed > 0 && speed <= 1_000) return speed
  throw new CliError('usage', '--speed takes a number up to 1000, or max')
}
