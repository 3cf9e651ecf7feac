/**
 * The command line as a tree of commands. Commands say what they take and print; what they do is a call
 * into another package, loaded only when it is needed.
 */
import { Command, CommanderError } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { addAuditCommands } from './commands/audit.ts'
import { addControlCommands } from './commands/control.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addPolicyCommands } from './commands/policy.ts'
import { addReplayCommand } from './commands/replay.ts'
import { addServeCommand } from './commands/serve.ts'
import { addTokenCommands } from './commands/token.ts'
import type { Cli } from './context.ts'
import { EXIT, type ExitCode, failureOf } from './errors.ts'
import { styled } from './output.ts'

export type Exit = (code: ExitCode) => void

/** Runs one command line (without `node` and the script). Never rejects; the result is the exit code. */
export async function runCli(args: readonly string[], cli: Cli): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok
  const program = buildProgram(cli, (code) => {
    exit = code
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    const failure = failureOf(error)
    cli.out.note([styled('red', 'error: '), failure.message])
    if (program.opts()['debug'] === true) noteTrace(cli, error)
    return failure.exit
  }
}

export function buildProgram(cli: Cli, exit: Exit): Command {
  const program = new Command('sallyport')
    .description(
      'A gateway for PostgreSQL, MySQL and MariaDB: tokens instead of passwords, every statement decided by policy, ' +
        'columns masked on the wire, everything recorded.',
    )
    .version(manifest.version, '-V, --version', 'print the version')
    .option('--debug', 'when something fails, also print where')
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('(--help shows what it takes)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => cli.out.raw(text),
      writeErr: (text) => {
        for (const line of text.trimEnd().split('\n')) cli.out.note(line)
      },
    })
    .addHelpText('after', OVERVIEW)
  addServeCommand(program, cli, exit)
  addTokenCommands(program, cli, exit)
  addPolicyCommands(program, cli, exit)
  addDoctorCommand(program, cli, exit)
  addAuditCommands(program, cli, exit)
  addReplayCommand(program, cli, exit)
  addControlCommands(program, cli, exit)
  return program
}

const OVERVIEW = `
Exit codes:
  0  in order
  1  what was asked about is not: denied, not verified, errors in a policy
  2  the command line or a file it names cannot be used
  3  something could not be reached or is busy; trying again may help

Examples:
  $ sallyport doctor --config sallyport.yaml
  $ sallyport serve --config sallyport.yaml
  $ PGPASSWORD=$(sallyport token --config sallyport.yaml --subject ada --group dba) psql -h localhost crm
  $ sallyport policy explain "SELECT email FROM customers" --config sallyport.yaml --group analysts --connection crm`

function noteTrace(cli: Cli, error: unknown): void {
  for (let one = error; one instanceof Error; one = one.cause) {
    for (const line of (one.stack ?? one.message).split('\n')) cli.out.note(line)
  }
}
