/** `sallyport serve`: runs the gateway until it is told to stop. */
import process from 'node:process'
import type { RunningGateway } from '@sallyport/gateway'
import type { Command } from 'commander'
import type { Cli } from '../context.ts'
import { EXIT } from '../errors.ts'
import { readConfig } from '../files.ts'
import { styled } from '../output.ts'
import type { Exit } from '../program.ts'

interface ServeFlags {
  readonly config: string
  readonly quiet?: boolean
}

/** 128 + SIGINT, as a shell reports it. */
const EXIT_INTERRUPTED = 130

export function addServeCommand(program: Command, cli: Cli, exit: Exit): void {
  program
    .command('serve')
    .summary('run the gateway')
    .description(
      'Runs the gateway. Logs go to stdout, one JSON object a line; a summary of where it listens goes ' +
        'to stderr. SIGTERM or SIGINT lets running statements finish and then stops, a second one stops ' +
        'at once; SIGHUP reads configuration, policies and certificates again.',
    )
    .requiredOption('-c, --config <file>', 'configuration (YAML)')
    .option('-q, --quiet', 'log errors only, and print no summary')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport serve --config sallyport.yaml
  $ sallyport serve --config sallyport.yaml >> gateway.log
  $ kill -HUP $(pidof -s node)          # after editing a file

Exit codes: 0 stopped as asked, 2 the configuration or a policy cannot be used,
3 a port or the audit log is taken, ${EXIT_INTERRUPTED} stopped by a second signal`,
    )
    .action(async (flags: ServeFlags) => {
      exit(await serve(flags, cli))
    })
}

async function serve({ config: path, quiet }: ServeFlags, cli: Cli): Promise<typeof EXIT.ok> {
  const config = await readConfig(path, cli)
  const { startGateway } = await import('@sallyport/gateway')
  const gateway = await startGateway(quiet === true ? { ...config, logLevel: 'error' } : config)
  if (quiet !== true) summarise(gateway, config.connections.keys(), cli)
  await untilStopped(gateway, cli)
  await gateway.close()
  return EXIT.ok
}

function summarise(gateway: RunningGateway, connections: Iterable<string>, cli: Cli): void {
  const { out } = cli
  const { addresses, admin } = gateway
  for (const { protocol, host, port, fingerprint, certificate } of addresses) {
    out.note(['listening for ', protocol, ' on ', styled('bold', hostPort(host, port))])
    if (fingerprint === null) out.note(['  without TLS: ', 'tokens cross this listener in clear'])
    else out.note(`  certificate SHA-256 ${fingerprint}`)
    if (certificate !== null) {
      const trusting = protocol === 'mysql' ? '--ssl-ca=' : 'sslmode=verify-full sslrootcert='
      out.note(`  clients trust it with ${trusting}${certificate}`)
    }
  }
  if (admin !== null) {
    out.note(`admin API on http${admin.tls ? 's' : ''}://${hostPort(admin.host, admin.port)}`)
    if (admin.certificate !== null) out.note(`  clients trust it with --ca ${admin.certificate}`)
  }
  out.note(`connections: ${[...connections].join(', ')}`)
}

const hostPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** Resolves at the first SIGTERM or SIGINT; from then on another one ends the process at once. */
function untilStopped(gateway: RunningGateway, cli: Cli): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false
    const stop = (): void => {
      if (stopping) process.exit(EXIT_INTERRUPTED)
      stopping = true
      cli.out.note('stopping: running statements may finish; another signal stops at once')
      resolve()
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
    // It logs what it could not take and keeps what it had.
    process.on('SIGHUP', () => void gateway.reload())
  })
}
