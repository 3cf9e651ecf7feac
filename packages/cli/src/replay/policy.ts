/**
 * What a policy would have done: the statements of one session, or of a period, decided again, and where the
 * verdict, the rule or the masks would have been others.
 */
import type { AuditReader, AuditRecord, Statement } from '@sallyport/audit'
import { decide, type Policy, type Subject, type Verdict } from '@sallyport/policy'
import { type Catalog, createFreshAnalyze, type FreshAnalyze } from '@sallyport/sql'
import { filterOf } from '../audit/read.ts'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { readConfig } from '../files.ts'
import { counted } from '../numbers.ts'
import { jsonLine } from '../output.ts'
import { fileCatalog, liveCatalog, placeOf } from '../policy/catalog.ts'
import { policyOf } from '../policy/load.ts'
import type { ReplayFlags } from './flags.ts'
import { type Decision, PolicyChanges, printChange, sameDecision } from './policy-changes.ts'
import { recordsOf } from './steps.ts'

const PAGE_ROWS = 1_000
/** The gateway's own reasons to refuse: no policy decides them. */
const NOT_POLICY = new Set(['rate-limit', 'too-large', 'meaning-changed', 'function-call'])

export async function replayPolicy(
  session: string | null,
  reader: AuditReader,
  flags: ReplayFlags,
  cli: Cli,
): Promise<ExitCode> {
  // Of the configuration only the places are taken: the policy is the one given.
  const policy = await policyOf({ policy: flags.policy ?? [] }, cli)
  const judge = await Judge.create(policy, reader, flags, cli)
  const records =
    session === null ? await recordsInPeriod(reader, flags, cli) : recordsOf(reader, session)
  const changes = new PolicyChanges()
  let looked = 0
  let changed = 0
  for await (const record of records) {
    const judged = await judge.decide(record)
    if (judged === null) continue
    looked++
    const { statement, now, where } = judged
    if (sameDecision(statement, now)) continue
    changed++
    const { subject, connection } = where
    const change = { record, statement, now, subject: subject.subject, connection }
    if (flags.json === true) printJson(record, statement, now, cli)
    else if (session !== null) printChange(change, cli.out)
    else changes.take(change)
  }
  if (changed > 0) changes.print(cli.out)
  cli.out.note(`${counted(looked, 'statement')}, ${changed} decided otherwise`)
  return changed === 0 ? EXIT.ok : EXIT.notOk
}

/** Newest first, as the index gives them. */
async function* recordsInPeriod(
  reader: AuditReader,
  flags: ReplayFlags,
  cli: Cli,
): AsyncGenerator<AuditRecord> {
  if (flags.since === undefined) {
    throw new CliError('usage', 'say which session, or which period: --since TIME [--until TIME]')
  }
  const filter = filterOf(flags, cli)
  let before: number | null = filter.before ?? Number.MAX_SAFE_INTEGER
  while (before !== null) {
    const page: { items: readonly AuditRecord[]; next: number | null } = await reader.search({
      ...filter,
      type: 'statement',
      limit: PAGE_ROWS,
      before,
    })
    yield* page.items
    before = page.next
  }
}

interface Where {
  readonly subject: Subject
  readonly connection: string
  readonly database: string
}

interface Judged {
  readonly statement: Statement
  readonly now: Decision
  readonly where: Where
}

class Judge {
  readonly #policy: Policy
  readonly #reader: AuditReader
  readonly #analyze: FreshAnalyze
  readonly #catalogFor: (where: Where) => Promise<Catalog | null>
  readonly #sessions = new Map<string, Where | null>()
  readonly #views: InstanceType<typeof import('@sallyport/gateway')['Views']>
  readonly #Context: typeof import('@sallyport/gateway')['DecisionContext']

  constructor(parts: {
    policy: Policy
    reader: AuditReader
    analyze: FreshAnalyze
    catalogFor: (where: Where) => Promise<Catalog | null>
    gateway: typeof import('@sallyport/gateway')
  }) {
    this.#policy = parts.policy
    this.#reader = parts.reader
    this.#analyze = parts.analyze
    this.#catalogFor = parts.catalogFor
    this.#views = new parts.gateway.Views()
    this.#Context = parts.gateway.DecisionContext
  }

  static async create(
    policy: Policy,
    reader: AuditReader,
    flags: ReplayFlags,
    cli: Cli,
  ): Promise<Judge> {
    const gateway = await import('@sallyport/gateway')
    const analyze = await createFreshAnalyze({ searchPath: flags.searchPath })
    return new Judge({ policy, reader, analyze, gateway, catalogFor: await catalogs(flags, cli) })
  }

  /** Null: not a statement that policy decides, or nothing is known of its session. */
  async decide(record: AuditRecord): Promise<Judged | null> {
    const { event } = record
    if (event.type !== 'statement') return null
    // Safe: the event's type says so, and only a log writes records.
    const statement = event as unknown as Statement
    if (statement.via === 'parse' && statement.verdict === 'allow') return null
    if (NOT_POLICY.has(statement.code ?? '')) return null
    const where = await this.#whereOf(statement.session)
    if (where === null) return null
    const catalog = await this.#catalogFor(where)
    const { view } = this.#views.of(this.#policy, where.subject, where.connection, catalog)
    const analysis = this.#analyze(readable(statement), catalog, where.database)
    if (analysis.kind === 'unparsable') {
      const now = decisionOf(decide(view, analysis, { now: record.at }), [])
      return { statement, now, where }
    }
    const context = new this.#Context(view, catalog)
    const decided = context.decideFacts(analysis.statements, record.at)
    return { statement, now: decisionOf(decided.verdict, decided.masks), where }
  }

  async #whereOf(session: string): Promise<Where | null> {
    const known = this.#sessions.get(session)
    if (known !== undefined) return known
    const { items } = await this.#reader.showSession(session, { limit: 20 })
    const started = items.find(({ event }) => event.type === 'session-started')?.event
    const where = started === undefined ? null : whereOf(started)
    this.#sessions.set(session, where)
    return where
  }
}

/** With a number in the place of each that was left out: as it is recorded the text would not parse. */
function readable({ sql, withheld }: Statement): string {
  return withheld === 'values'
    ? sql.replace(STANDS_FOR, (part) => (part === '…' ? '0' : part))
    : sql
}
/** Quoted names, strings and comments pass as they are. */
const STANDS_FOR = /"(?:[^"]|"")*"|`(?:[^`]|``)*`|'…'|\/\*…\*\/|…/g

function decisionOf(verdict: Verdict, masks: readonly string[]): Decision {
  const { kind, rule } = verdict
  return { verdict: kind, rule, masks, ...(verdict.kind === 'deny' && { reason: verdict.message }) }
}

function whereOf(started: AuditRecord['event']): Where {
  const text = (name: string): string | null => {
    const value = started[name]
    return typeof value === 'string' && value !== '' ? value : null
  }
  const groups = Array.isArray(started['groups']) ? started['groups'].map(String) : []
  const subject: Subject = {
    subject: text('subject') ?? '',
    kind: started['kind'] === 'machine' ? 'machine' : 'human',
    groups,
    role: text('role'),
    graph: text('graph'),
    node: text('node'),
    run: text('run'),
    claims: {},
  }
  return { subject, connection: text('connection') ?? '', database: text('database') ?? '' }
}

/** The schema as it is now, per database: from a file, else from the databases of the configuration. */
async function catalogs(
  flags: ReplayFlags,
  cli: Cli,
): Promise<(where: Where) => Promise<Catalog | null>> {
  if (flags.catalog !== undefined) {
    const catalog = await fileCatalog(flags.catalog)
    return () => Promise.resolve(catalog)
  }
  if (flags.config === undefined) {
    cli.out.note('without --config or --catalog names are not resolved, which is decided strictly')
    return () => Promise.resolve(null)
  }
  const config = await readConfig(flags.config, cli)
  const known = new Map<string, Promise<Catalog | null>>()
  return ({ connection, database }) => {
    const name = `${connection}/${database}`
    let catalog = known.get(name)
    if (catalog === undefined) {
      catalog = config.connections.has(connection)
        ? liveCatalog(placeOf(config, name), cli)
        : Promise.resolve(null)
      known.set(name, catalog)
    }
    return catalog
  }
}

function printJson(record: AuditRecord, before: Statement, now: Decision, cli: Cli): void {
  const { verdict, rule, masks, sql, session } = before
  const { seq, at } = record
  cli.out.raw(`${jsonLine({ seq, at, session, sql, was: { verdict, rule, masks }, now })}\n`)
}
