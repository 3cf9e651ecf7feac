/** `sallyport audit …`: tail, show, search, sessions and verify. */
import type { SearchField } from '@sallyport/audit'
import type { Command } from 'commander'
import type {
  EraseFlags,
  ExportFlags,
  HoldFlags,
  PruneFlags,
  ReadingFlags,
  RewrapFlags,
  SearchFlags,
  SessionsFlags,
  ShowFlags,
  TailFlags,
  VerifyFlags,
} from '../audit/flags.ts'
import type { Cli } from '../context.ts'
import type { Exit } from '../program.ts'

const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
]

export function addAuditCommands(program: Command, cli: Cli, exit: Exit): void {
  const audit = program
    .command('audit')
    .summary('read, search and verify the audit trail')
    .description(
      'Reads the trail’s files, also while a gateway writes them: that gateway then records who read what. Other ' +
        'programs that read the files leave no trace: who may is a matter of the directory’s permissions.',
    )
    .addHelpText('after', '\nExamples:\n  $ sallyport audit tail -c sallyport.yaml -f')
  addTail(audit, cli, exit)
  addShow(audit, cli, exit)
  addSearch(audit, cli, exit)
  addSessions(audit, cli, exit)
  addVerify(audit, cli, exit)
  addProve(audit, cli, exit)
  addExport(audit, cli, exit)
  addHold(audit, cli, exit)
  addErase(audit, cli, exit)
  addPrune(audit, cli, exit)
  addRotateKey(audit, cli, exit)
  addRewrap(audit, cli, exit)
}

function reading(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration that names the audit directory')
    .option('-d, --dir <directory>', 'the audit directory itself')
    .option('--json', 'one JSON object a line')
}

/** Questions that can be asked of all gateways of a store. */
function asking(command: Command): Command {
  return reading(command).option('--shared', 'of all gateways that share the store of --config')
}

/** What records and sessions are found by: what the flag takes, and what it says. */
const FOUND_BY: Readonly<Record<SearchField, readonly [value: string, says: string]>> = {
  gateway: ['name', 'with --shared: on which gateway'],
  subject: ['name', 'who'],
  group: ['name', 'a group of theirs'],
  role: ['name', 'the role taken'],
  connection: ['name', 'where'],
  graph: ['name', 'graph, as the token says'],
  node: ['name', 'node of the graph'],
  run: ['id', 'run of the graph'],
  session: ['id', 'in which session'],
  rule: ['name', 'decided by this rule'],
  relation: ['name', 'schema.relation, or a relation of any schema'],
  column: ['name', 'a masked column, schema.relation.column'],
  fingerprint: ['hex', 'statements that differ in literals only'],
  type: ['type', 'type of event: statement, authentication, token-minted, …'],
  about: ['id', 'an approval or a token: everything that happened to it'],
}

function filtering(command: Command): Command {
  for (const [name, [value, says]] of Object.entries(FOUND_BY)) {
    command.option(`--${name} <${value}>`, says)
  }
  return command
    .option('--verdict <verdict>', 'allow, deny or approve')
    .option('--since <time>', 'from: 2h (ago), 2026-05-01, 2026-05-01T12:00Z')
    .option('--until <time>', 'up to, not included')
    .option('--limit <n>', 'at most this many (default 50)')
    .option('--before <n>', 'the next page: the number the page before ended with')
}

function addTail(audit: Command, cli: Cli, exit: Exit): void {
  asking(audit.command('tail'))
    .summary('the newest records')
    .option('-n, --lines <n>', 'how many (default 20)')
    .option('-f, --follow', 'go on with new ones until interrupted')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport audit tail -c sallyport.yaml
  $ sallyport audit tail -c sallyport.yaml -f --json | jq 'select(.event.verdict == "deny")'`,
    )
    .action(async (flags: TailFlags) => {
      const { tail } = await import('../audit/read.ts')
      exit(await tail(flags, cli))
    })
}

function addShow(audit: Command, cli: Cli, exit: Exit): void {
  asking(audit.command('show <what>'))
    .option('--gateway <name>', 'with --shared: whose record of that number')
    .summary('one record with what belongs to it, or a whole session')
    .description(
      'WHAT is the number of a record or the id of a session (its first 8 characters do).',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport audit show 4711 -c sallyport.yaml
  $ sallyport audit show 0f5d3c9a -c sallyport.yaml`,
    )
    .action(async (what: string, flags: ShowFlags) => {
      const { show } = await import('../audit/read.ts')
      exit(await show(what, flags, cli))
    })
}

function addSearch(audit: Command, cli: Cli, exit: Exit): void {
  filtering(asking(audit.command('search [words...]')))
    .summary('records by who, what, when and words of the statement')
    .description(
      'Newest first. All conditions must hold; words may stand anywhere in the statement.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport audit search -c sallyport.yaml --verdict deny --since 1d
  $ sallyport audit search -c sallyport.yaml --relation public.customers card number
  $ sallyport audit search -c sallyport.yaml --about st_8Jx0bKq3V1cTzQpN

Exit codes: 0 found, 1 nothing found, 2 wrong flags, 3 no index`,
    )
    .action(async (words: readonly string[], flags: SearchFlags) => {
      const { search } = await import('../audit/read.ts')
      exit(await search(words, flags, cli))
    })
}

function addSessions(audit: Command, cli: Cli, exit: Exit): void {
  filtering(asking(audit.command('sessions')))
    .summary('sessions with their totals, newest first')
    .description(
      'Conditions on records (rule, relation, …) hold for sessions that have such a record; times are those ' +
        'of the session’s start.',
    )
    .option('--live', 'only those without a recorded end')
    .addHelpText(
      'after',
      `
Example:
  $ sallyport audit sessions -c sallyport.yaml --subject ada --since 1d
  $ sallyport audit sessions -c sallyport.yaml --relation public.customers --node research`,
    )
    .action(async (flags: SessionsFlags) => {
      const { sessions } = await import('../audit/read.ts')
      exit(await sessions(flags, cli))
    })
}

function addVerify(audit: Command, cli: Cli, exit: Exit): void {
  audit
    .command('verify [directory]')
    .summary('prove that nothing was changed, with public keys alone')
    .description(
      'Checks every record against the hash chain and every signed head against the records. Take the ' +
        'public key from where you trust it, not from the directory; heads kept elsewhere also prove ' +
        'that nothing was cut from the end.',
    )
    .requiredOption('--public-key <file>', 'public key, PEM; may be given several times', collect)
    .option('--heads <file>', 'signed heads kept outside; may be given several times', collect)
    .option('--recordings <directory>', 'recordings (those beside the log unless given)')
    .option('--proof <file>', 'instead of a log: check a proof that `audit prove` wrote')
    .option('--live', 'a gateway is writing now: an unfinished last line is no finding')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport audit verify /var/lib/sallyport/audit --public-key audit-key.pem
  $ sallyport audit verify copy/ --public-key audit-key.pem --heads /mnt/worm/heads.jsonl
  $ sallyport audit verify --proof record-4711.json --public-key audit-key.pem

Exit codes: 0 nothing found, 1 the log was changed, 2 no log or no key there`,
    )
    .action(async (directory: string | undefined, flags: VerifyFlags) => {
      const { verify } = await import('../audit/verify.ts')
      exit(await verify(directory, flags, cli))
    })
}

function addProve(audit: Command, cli: Cli, exit: Exit): void {
  reading(audit.command('prove <seq>'))
    .summary('a proof that one record is in the log, showing no other')
    .description(
      'Prints the record, its Merkle path and the signed head it leads to. `audit verify --proof` checks it ' +
        'with the public key alone.',
    )
    .addHelpText(
      'after',
      `
Example:
  $ sallyport audit prove 4711 -c sallyport.yaml > record-4711.json`,
    )
    .action(async (seq: string, flags: ReadingFlags) => {
      const { prove } = await import('../audit/verify.ts')
      exit(await prove(seq, flags, cli))
    })
}

function addExport(audit: Command, cli: Cli, exit: Exit): void {
  audit
    .command('export')
    .summary('the log for a SIEM: JSON Lines, ECS or OCSF, to stdout, a URL or syslog')
    .description(
      'Reads the segments in order, also while a gateway writes them. With --cursor it goes on where it was, and ' +
        'a record is sent at least once. A receiver that is slow or down delays the export and nothing else. A gateway ' +
        'does the same by itself: audit.exports.',
    )
    .option('-c, --config <file>', 'configuration that names the audit directory')
    .option('-d, --dir <directory>', 'the audit directory itself')
    .option('--format <format>', 'jsonl (as recorded), ecs (Elastic Common Schema 8) or ocsf (1.6)')
    .option(
      '--to <url>',
      'https://… (application/x-ndjson), syslog+tls://host:port, instead of stdout',
    )
    .option('--ca <file>', 'authorities of a syslog receiver, PEM')
    .option('--authorization <file>', 'file with the Authorization header')
    .option('--cursor <file>', 'keeps where it stands in this file')
    .option('-f, --follow', 'go on with new records until interrupted')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport audit export -c sallyport.yaml --format ecs -f --cursor /var/lib/sallyport/siem | logger -t sallyport
  $ sallyport audit export -c sallyport.yaml -f --cursor siem --to https://siem.example/ingest`,
    )
    .action(async (flags: ExportFlags) => {
      const { exportLog } = await import('../audit/export.ts')
      exit(await exportLog(flags, cli))
    })
}

function addHold(audit: Command, cli: Cli, exit: Exit): void {
  reading(audit.command('hold [session]'))
    .summary('a legal hold: keeps records and recordings whatever their age')
    .description(
      'Of a session, of all that a subject did, or of a stretch of time. Recorded in the log, by the gateway that ' +
        'runs over it.',
    )
    .option('--subject <name>', 'whatever they did and do')
    .option('--since <time>', 'with --until: whatever happened from then')
    .option('--until <time>', 'up to then, not included')
    .requiredOption('--by <name>', 'on whose authority')
    .requiredOption('--reason <text>', 'why')
    .option('--lift', 'ends the hold')
    .addHelpText(
      'after',
      `
Example:
  $ sallyport audit hold 0f5d3c9a -c sallyport.yaml --by counsel --reason "case 7"
  $ sallyport audit hold --subject ada -c sallyport.yaml --by counsel --reason "case 7"
  $ sallyport audit hold --since 2026-03-01 --until 2026-04-01 -c sallyport.yaml --by counsel --reason "case 8"`,
    )
    .action(async (session: string | undefined, flags: HoldFlags) => {
      const { hold } = await import('../audit/keep.ts')
      exit(await hold(session, flags, cli))
    })
}

function addErase(audit: Command, cli: Cli, exit: Exit): void {
  reading(audit.command('erase <session>'))
    .summary('destroys a session’s recording, or the key to it')
    .description('The log says so first. Not under a legal hold.')
    .requiredOption('--by <name>', 'on whose authority')
    .requiredOption('--reason <text>', 'why')
    .option('--key-only', 'the file stays and verifies; nobody can read it, nor any copy of it')
    .addHelpText(
      'after',
      `
Example:
  $ sallyport audit erase 0f5d3c9a -c sallyport.yaml --by dpo --reason "request 12" --key-only`,
    )
    .action(async (session: string, flags: EraseFlags) => {
      const { erase } = await import('../audit/keep.ts')
      exit(await erase(session, flags, cli))
    })
}

function addPrune(audit: Command, cli: Cli, exit: Exit): void {
  audit
    .command('prune')
    .summary('removes records past their time, leaving signed tombstones')
    .description(
      'What audit.keep-days says, now instead of within the hour; the gateway that runs over the log does it. A ' +
        'segment stays while a legal hold names something in it, a recording is proven by it, or an export has not ' +
        'sent it.',
    )
    .option('-c, --config <file>', 'configuration with the retention')
    .option('--dry-run', 'says what would go and what stays, and why')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
Example:
  $ sallyport audit prune -c sallyport.yaml --dry-run`,
    )
    .action(async (flags: PruneFlags) => {
      const { prune } = await import('../audit/keep.ts')
      exit(await prune(flags, cli))
    })
}

function addRotateKey(audit: Command, cli: Cli, exit: Exit): void {
  reading(audit.command('rotate-key'))
    .summary('another key signs the log from now on')
    .description(
      'The old key vouches for the new one and is destroyed; `audit verify` with the old public key goes on to ' +
        'work. audit.rotate-key-days does this by itself.',
    )
    .addHelpText(
      'after',
      `
Example:
  $ sallyport audit rotate-key -c sallyport.yaml`,
    )
    .action(async (flags: ReadingFlags) => {
      const { rotateKey } = await import('../audit/keep.ts')
      exit(await rotateKey(flags, cli))
    })
}

function addRewrap(audit: Command, cli: Cli, exit: Exit): void {
  audit
    .command('rewrap')
    .summary('puts recordings under the present key, so that those before may go')
    .description(
      'What audit.recordings.previous-keys wrap is wrapped by audit.recordings.key: the key of each recording, not ' +
        'the recording. Recorded first, by the gateway that runs over the log; stopped, it goes on when it is run again.',
    )
    .option('-c, --config <file>', 'configuration with the keys')
    .option('--json', 'print what was done as JSON')
    .addHelpText(
      'after',
      `
Example:
  $ sallyport audit rewrap -c sallyport.yaml

Exit codes: 0 previous-keys may go, 1 something still needs one, 2 wrong flags or configuration`,
    )
    .action(async (flags: RewrapFlags) => {
      const { rewrap } = await import('../audit/keep.ts')
      exit(await rewrap(flags, cli))
    })
}
