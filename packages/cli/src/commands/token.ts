/** `sallyport token …`: mint, exchange, inspect, revoke and list. */
import type { Command } from 'commander'
import type { Cli } from '../context.ts'
import type { Exit } from '../program.ts'
import type {
  ExchangeFlags,
  InspectFlags,
  ListFlags,
  MintFlags,
  RevokeFlags,
} from '../token/flags.ts'

/** For a flag that may come several times. */
const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
]

const TOKEN_FILE = 'file with the token, - for stdin (default: SALLYPORT_TOKEN, then stdin)'
const CA_FILE =
  'with --url: PEM file of the authority behind its certificate (default: SALLYPORT_CA, then the system’s)'

export function addTokenCommands(program: Command, cli: Cli, exit: Exit): void {
  const token = program
    .command('token')
    .summary('make, exchange, inspect, revoke and list tokens')
    .description(
      'Tokens are what clients put into the password field. Without a subcommand, --config mints one ' +
        'and --url exchanges the one you have.',
    )
    .addHelpText('after', TOKEN_EXAMPLES)
  addMint(token, cli, exit)
  addExchange(token, cli, exit)
  addInspect(token, cli, exit)
  addRevoke(token, cli, exit)
  addList(token, cli, exit)
  addPlain(token, cli, exit)
}

const TOKEN_EXAMPLES = `
Examples:
  $ sallyport token --config sallyport.yaml --subject nightly-report --group analysts --for 2h
  $ sallyport token --url http://127.0.0.1:9090 --token-file jwt --for 15m --connection crm --node research
  $ sallyport token inspect < token
  $ sallyport token revoke --config sallyport.yaml --id st_8Jx0bKq3V1cTzQpN`

/** Flags that narrow a token: the same for minting and exchanging. */
function narrowing(command: Command): Command {
  return command
    .option('--for <duration>', 'lifetime: 15m, 2h, 1d (default and most: the configuration)')
    .option('--role <name>', 'only this role; may be given several times', collect)
    .option('--connection <name>', 'only this connection; may be given several times', collect)
    .option('--graph <name>', 'only for this graph')
    .option('--node <name>', 'only for this node of it')
    .option('--run <id>', 'only for this run')
}

function minting(command: Command): Command {
  return narrowing(command)
    .option('--subject <name>', 'who the token is for')
    .option('--group <name>', 'a group of the subject; may be given several times', collect)
    .option('--kind <kind>', 'human or machine (default machine)')
    .option('--label <text>', 'a note for `token list`')
    .option('--require-audit', 'refuse when the act cannot be written to the audit log now')
}

function addMint(token: Command, cli: Cli, exit: Exit): void {
  minting(token.command('mint'))
    .summary('make a session token, as the operator of this machine')
    .description(
      'Writes a session token into the gateway’s state directory and prints it, alone, on stdout. Needs ' +
        'no running gateway and no identity provider: whoever may write that directory may do this.\n\n' +
        'The audit log has one writer. When no gateway runs, the act is written to it; while one runs, ' +
        'it is not, this command says so on stderr, and `token list` is the record of it. The gateway ' +
        'records every login with the token either way.',
    )
    .requiredOption('-c, --config <file>', 'configuration of the gateway')
    .option('--json', 'print token and record as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport token mint -c sallyport.yaml --subject ada --kind human --group dba --for 1h
  $ PGPASSWORD=$(sallyport token mint -c sallyport.yaml --subject etl --group loaders) psql -h localhost crm

Exit codes: 0 minted, 1 refused, 2 wrong flags or configuration, 3 state or audit log busy`,
    )
    .action(async (flags: MintFlags) => {
      const { mint } = await import('../token/actions.ts')
      exit(await mint(flags, cli))
    })
}

function addExchange(token: Command, cli: Cli, exit: Exit): void {
  narrowing(token.command('exchange'))
    .summary('exchange a token for a shorter, narrower one at a running gateway')
    .description(
      'Sends a token (a JWT or a session token) to the gateway’s admin address and prints the session ' +
        'token that it gives for it (RFC 8693), alone, on stdout. A token only ever becomes narrower.',
    )
    .requiredOption('--url <address>', 'admin address, http://127.0.0.1:9090')
    .option('--ca <file>', CA_FILE)
    .option('--token-file <file>', TOKEN_FILE)
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport token exchange --url http://127.0.0.1:9090 --connection crm --for 15m < jwt
  $ SALLYPORT_TOKEN=$JWT sallyport token exchange --url http://127.0.0.1:9090 --role analyst

Exit codes: 0 exchanged, 1 refused, 2 wrong flags, 3 not reachable`,
    )
    .action(async (flags: ExchangeFlags) => {
      const { exchange } = await import('../token/actions.ts')
      exit(await exchange(flags, cli))
    })
}

function addInspect(token: Command, cli: Cli, exit: Exit): void {
  token
    .command('inspect')
    .summary('show what a token says; with --config, verify it')
    .description(
      'Without --config the token is only decoded: what it says is shown and NOT verified. With --config ' +
        'it is verified as at login, and what is wrong is said in plain words.',
    )
    .option('--token-file <file>', TOKEN_FILE)
    .option('-c, --config <file>', 'verify it against this configuration')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport token inspect --token-file jwt
  $ sallyport token inspect --config sallyport.yaml < jwt

Exit codes: 0 decoded or accepted, 1 no token or not accepted, 2 wrong flags, 3 cannot be checked now`,
    )
    .action(async (flags: InspectFlags) => {
      const { inspect } = await import('../token/actions.ts')
      exit(await inspect(flags, cli))
    })
}

function addRevoke(token: Command, cli: Cli, exit: Exit): void {
  token
    .command('revoke')
    .summary('end a token, or every token of a subject')
    .description(
      'Live sessions of what is revoked end within a second. With --config this writes the gateway’s ' +
        'state on this machine; with --url the holder of a token gives it back.',
    )
    .option('-c, --config <file>', 'configuration of the gateway on this machine')
    .option('--id <token-id>', 'with --config: the id of a session token, or the jti of a JWT')
    .option('--subject <name>', 'with --config: every token of this subject issued up to now')
    .option('--issuer <url>', 'issuer of --subject (default: every configured one and minted ones)')
    .option('--for-good', 'with --subject: also tokens issued later')
    .option('--reason <text>', 'why; recorded')
    .option('--url <address>', 'admin address, to give back a token')
    .option('--ca <file>', CA_FILE)
    .option('--token-file <file>', TOKEN_FILE)
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport token revoke -c sallyport.yaml --id st_8Jx0bKq3V1cTzQpN --reason "laptop lost"
  $ sallyport token revoke -c sallyport.yaml --subject ada --for-good --reason "left the company"
  $ sallyport token revoke --url http://127.0.0.1:9090 < token

Exit codes: 0 revoked, 1 refused, 2 wrong flags or configuration, 3 not reachable or busy`,
    )
    .action(async (flags: RevokeFlags) => {
      const { revoke } = await import('../token/actions.ts')
      exit(await revoke(flags, cli))
    })
}

function addList(token: Command, cli: Cli, exit: Exit): void {
  token
    .command('list')
    .summary('list the session tokens of this machine’s gateway')
    .description('Newest first. Tokens themselves are not kept and cannot be shown.')
    .requiredOption('-c, --config <file>', 'configuration of the gateway')
    .option('--subject <name>', 'only of this subject')
    .option('--all', 'also those that have expired or are revoked')
    .option('--limit <n>', 'at most this many (default 100)')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  $ sallyport token list --config sallyport.yaml --all')
    .action(async (flags: ListFlags) => {
      const { list } = await import('../token/actions.ts')
      exit(await list(flags, cli))
    })
}

/** Plain `sallyport token --…`. */
function addPlain(token: Command, cli: Cli, exit: Exit): void {
  minting(token.command('get', { isDefault: true, hidden: true }))
    .option('-c, --config <file>', 'mint with this configuration')
    .option('--url <address>', 'exchange at this admin address')
    .option('--ca <file>', CA_FILE)
    .option('--token-file <file>', TOKEN_FILE)
    .option('--json', 'print as JSON')
    .action(async (flags: Partial<MintFlags & ExchangeFlags>) => {
      const { mintOrExchange } = await import('../token/actions.ts')
      exit(await mintOrExchange(flags, cli))
    })
}
