/** Commands that talk to a running gateway: `login`, `approvals …`, `sessions …`, `psql`, `mysql`. */
import type { Command } from 'commander'
import type { Cli } from '../context.ts'
import type { DecideFlags, ListFlags } from '../control/approvals.ts'
import type { ControlFlags } from '../control/client.ts'
import type { ClientFlags } from '../control/client-program.ts'
import type { RequestFlags } from '../control/grants.ts'
import type { LoginFlags } from '../control/login.ts'
import type { Exit } from '../program.ts'

const CA_HELP =
  'PEM file of the authority behind the gateway’s certificates (default: SALLYPORT_CA, then that of `login`, then the system’s)'

function connecting(command: Command): Command {
  return command
    .option('--url <address>', 'the gateway’s admin address (default: SALLYPORT_URL, then `login`)')
    .option('--token-file <file>', 'file with the token (default: SALLYPORT_TOKEN, then `login`)')
    .option('--ca <file>', CA_HELP)
}

function controlling(command: Command): Command {
  return connecting(command).option('--json', 'print data')
}

export function addControlCommands(program: Command, cli: Cli, exit: Exit): void {
  addLogin(program, cli, exit)
  addApprovals(program, cli, exit)
  addGrants(program, cli, exit)
  addSessions(program, cli, exit)
  addClient(program, cli, exit, 'psql')
  addClient(program, cli, exit, 'mysql')
}

function addLogin(program: Command, cli: Cli, exit: Exit): void {
  program
    .command('login')
    .summary('log in as a person, and stay logged in')
    .description(
      'Gets a token from the identity provider that the gateway trusts, by the device flow, or in a ' +
        'browser with PKCE. It is kept for this account alone (mode 0600) and refreshed when it expires.',
    )
    .requiredOption('--url <address>', 'the gateway’s admin address')
    .option('--ca <file>', 'PEM file of the authority behind its certificate; kept with the login')
    .option('--issuer <url>', 'the identity provider (default: the one the gateway trusts)')
    .option('--client-id <id>', 'this program at the provider', 'sallyport-cli')
    .option('--scope <scopes>', 'what to ask for', 'openid offline_access')
    .option('--browser', 'in a browser on this machine, instead of with a code')
    .addHelpText('after', '\nExamples:\n  $ sallyport login --url https://gateway.internal:9464')
    .action(async (flags: LoginFlags) => {
      const { login } = await import('../control/login.ts')
      exit(await login(flags, cli))
    })
  program
    .command('logout')
    .summary('forget the login')
    .addHelpText('after', '\nExamples:\n  $ sallyport logout')
    .action(async () => {
      const { logout } = await import('../control/login.ts')
      exit(await logout(cli))
    })
}

function addApprovals(program: Command, cli: Cli, exit: Exit): void {
  const approvals = program
    .command('approvals')
    .summary('see and decide what waits for people')
    .addHelpText('after', '\nExamples:\n  $ sallyport approvals list')
  controlling(approvals.command('list').alias('ls'))
    .summary('what waits, and whether you may decide it')
    .option('--all', 'also what is over')
    .addHelpText('after', '\nExamples:\n  $ sallyport approvals list --all')
    .action(async (flags: ListFlags) => {
      const { listApprovals } = await import('../control/approvals.ts')
      exit(await listApprovals(flags, cli))
    })
  controlling(approvals.command('show <id>'))
    .summary('one approval, with the statement that would run')
    .addHelpText('after', '\nExamples:\n  $ sallyport approvals show ap_2Jx0bKq3V1cTzQ')
    .action(async (id: string, flags: ControlFlags) => {
      const { showApproval } = await import('../control/approvals.ts')
      exit(await showApproval(id, flags, cli))
    })
  for (const decision of ['approve', 'deny'] as const) {
    controlling(approvals.command(`${decision} <id>`))
      .summary(decision === 'approve' ? 'let it run, once' : 'refuse it')
      .option('--reason <text>', 'why; the requester reads it')
      .option('--ticket <id>', 'the ticket, where policy asks for one')
      .addHelpText(
        'after',
        `\nExamples:\n  $ sallyport approvals ${decision} ap_2Jx0bKq3V1cTzQ --reason "as agreed"`,
      )
      .action(async (id: string, flags: DecideFlags) => {
        const { decide } = await import('../control/approvals.ts')
        exit(await decide(id, decision, flags, cli))
      })
  }
  controlling(approvals.command('cancel <id>'))
    .summary('take back a request of your own')
    .addHelpText('after', '\nExamples:\n  $ sallyport approvals cancel ap_2Jx0bKq3V1cTzQ')
    .action(async (id: string, flags: ControlFlags) => {
      const { cancelApproval } = await import('../control/approvals.ts')
      exit(await cancelApproval(id, flags, cli))
    })
  controlling(approvals.command('watch'))
    .summary('a line for everything that happens')
    .addHelpText('after', '\nExamples:\n  $ sallyport approvals watch --json')
    .action(async (flags: ControlFlags) => {
      const { watchApprovals } = await import('../control/approvals.ts')
      exit(await watchApprovals(flags, cli))
    })
}

function addGrants(program: Command, cli: Cli, exit: Exit): void {
  controlling(program.command('request'))
    .summary('ask for a role for a time')
    .requiredOption('--role <name>', 'the role')
    .requiredOption('--connection <name>', 'where')
    .option('--for <duration>', 'how long: 15m, 2h', '15m')
    .option('--reason <text>', 'why')
    .option('--graph <name>', 'only for this graph')
    .option('--node <name>', 'only for this node of it')
    .option('--run <id>', 'only for this run')
    .option('--break-glass', 'take it now, where policy names you; it is reviewed afterwards')
    .addHelpText(
      'after',
      '\nExamples:\n  $ sallyport request --role writer --connection crm --for 15m --reason "ticket 12"',
    )
    .action(async (flags: RequestFlags) => {
      const { requestGrant } = await import('../control/grants.ts')
      exit(await requestGrant(flags, cli))
    })
  const grants = program
    .command('grants')
    .summary('roles held for a time')
    .addHelpText('after', '\nExamples:\n  $ sallyport grants ls')
  controlling(grants.command('ls').alias('list'))
    .summary('who asked for which role, and who holds it')
    .addHelpText('after', '\nExamples:\n  $ sallyport grants ls')
    .action(async (flags: ControlFlags) => {
      const { listGrants } = await import('../control/grants.ts')
      exit(await listGrants(flags, cli))
    })
  controlling(grants.command('revoke <id>'))
    .summary('end a grant, and the sessions that took its role')
    .addHelpText('after', '\nExamples:\n  $ sallyport grants revoke ap_2Jx0bKq3V1cTzQ')
    .action(async (id: string, flags: ControlFlags) => {
      const { revokeGrant } = await import('../control/grants.ts')
      exit(await revokeGrant(id, flags, cli))
    })
}

function addSessions(program: Command, cli: Cli, exit: Exit): void {
  const sessions = program
    .command('sessions')
    .summary('live sessions: your own, or all for operators')
    .addHelpText('after', '\nExamples:\n  $ sallyport sessions ls')
  controlling(sessions.command('ls').alias('list'))
    .summary('who is connected, and what they are doing')
    .addHelpText('after', '\nExamples:\n  $ sallyport sessions ls')
    .action(async (flags: ControlFlags) => {
      const { listSessions } = await import('../control/sessions.ts')
      exit(await listSessions(flags, cli))
    })
  controlling(sessions.command('watch [id]'))
    .summary('a line for everybody who comes, goes or waits; of one session, for every statement')
    .addHelpText(
      'after',
      '\nExamples:\n  $ sallyport sessions watch\n  $ sallyport sessions watch 5f0c1c1e-8a52-4b0e-9b7e-2f5d7f0a1c11',
    )
    .action(async (id: string | undefined, flags: ControlFlags) => {
      const { watchSession, watchSessions } = await import('../control/sessions.ts')
      exit(await (id === undefined ? watchSessions(flags, cli) : watchSession(id, flags, cli)))
    })
  controlling(sessions.command('kill <id>'))
    .summary('end a session; its statement is cancelled')
    .addHelpText(
      'after',
      '\nExamples:\n  $ sallyport sessions kill 5f0c1c1e-8a52-4b0e-9b7e-2f5d7f0a1c11',
    )
    .action(async (id: string, flags: ControlFlags) => {
      const { killSession } = await import('../control/sessions.ts')
      exit(await killSession(id, flags, cli))
    })
}

const CLIENT_EXAMPLES = {
  psql: ['psql crm', "psql crm --role writer -- -c 'SELECT now()'"],
  mysql: ['mysql shop', "mysql shop --role writer -- -e 'SELECT now()'"],
} as const

function addClient(program: Command, cli: Cli, exit: Exit, name: 'psql' | 'mysql'): void {
  const examples = CLIENT_EXAMPLES[name].map((example) => `\n  $ sallyport ${example}`)
  connecting(program.command(`${name} <connection> [arguments...]`))
    .summary(`${name} through the gateway, with address and token filled in`)
    .option('--role <name>', 'the role to take')
    .option('--host <name>', 'of the gateway, where it is reached under another name')
    .option('--port <number>', 'of the gateway')
    .addHelpText('after', `\nExamples:${examples.join('')}`)
    .action(async (connection: string, more: readonly string[], flags: ClientFlags) => {
      const { runClient } = await import('../control/client-program.ts')
      exit(await runClient(name, connection, more, flags, cli))
    })
}
