/**
 * `audit export`: the log for a SIEM, as JSON Lines, ECS or OCSF, to stdout, a URL or a syslog receiver. Where it stands
 * can be kept in a file, so that it goes on there after a restart: at least once, never out of order.
 */
import { EXPORT_FORMATS, type ExportFormat } from '@sallyport/audit'
import type { Sink } from '@sallyport/gateway'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { readText } from '../files.ts'
import { noteReading } from './desk.ts'
import type { ExportFlags } from './flags.ts'
import { directoryOf } from './read.ts'

export async function exportLog(flags: ExportFlags, cli: Cli): Promise<ExitCode> {
  const directory = await directoryOf(flags, cli)
  const format = formatOf(flags.format ?? 'jsonl')
  const sink = await sinkOf(flags, cli)
  await noteReading(directory, { action: 'export', query: { to: sink.name } }, flags, cli)
  const { runExport } = await import('@sallyport/gateway')
  let failed: Error | null = null
  await runExport({
    directory,
    format,
    sink,
    cursor: flags.cursor ?? null,
    follow: flags.follow === true,
    stop: cli.stop,
    onState: (error) => {
      failed = error
      if (error !== null) cli.out.note(`${sink.name}: ${error.message}; trying again`)
    },
  })
  if (failed !== null) throw new CliError('unavailable', `${sink.name} does not take records`)
  return EXIT.ok
}

function formatOf(name: string): ExportFormat {
  const format = EXPORT_FORMATS.find((one) => one === name)
  if (format === undefined)
    throw new CliError('usage', `--format takes ${EXPORT_FORMATS.join(', ')}`)
  return format
}

async function sinkOf({ to, ca, authorization }: ExportFlags, cli: Cli): Promise<Sink> {
  if (to === undefined) return stdoutOf(cli)
  const { sinkFor } = await import('@sallyport/gateway')
  const sink = sinkFor({
    to,
    ca: ca === undefined ? null : await readText(ca),
    authorization: authorization === undefined ? null : (await readText(authorization)).trim(),
  })
  if (sink !== null) return sink
  throw new CliError(
    'usage',
    '--to takes https://…, syslog+tls://…, or one in clear to this machine',
  )
}

function stdoutOf(cli: Cli): Sink {
  return {
    name: 'stdout',
    send: async (messages) => cli.out.raw(messages.map(({ line }) => `${line}\n`).join('')),
    close: () => {},
  }
}
