/** `sallyport doctor`. */
import type { Command } from 'commander'
import type { Cli } from '../context.ts'
import type { DoctorFlags } from '../doctor/run.ts'
import type { Exit } from '../program.ts'

export function addDoctorCommand(program: Command, cli: Cli, exit: Exit): void {
  program
    .command('doctor')
    .summary('check a whole installation and say what to do')
    .description(
      'Checks configuration, policies, certificates, ports, issuers, databases (name, TCP, TLS, login ' +
        'with each credential, schema), directories, and a token if one is given. Every finding is ok, ' +
        'warn or fail, with what to do. Changes nothing and never prints a secret.',
    )
    .requiredOption('-c, --config <file>', 'configuration')
    .option('--connection <name>', 'only this connection’s database')
    .option('--token-file <file>', 'also check this token, - for stdin')
    .option('--role <name>', 'with --token-file: the user name it would log in with')
    .option('--json', 'print the findings as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport doctor --config sallyport.yaml
  $ sallyport doctor --config sallyport.yaml --connection crm --token-file jwt

Exit codes: 0 no failures, 1 failures, 2 the configuration cannot be used`,
    )
    .action(async (flags: DoctorFlags) => {
      const { doctor } = await import('../doctor/run.ts')
      exit(await doctor(flags, cli))
    })
}
