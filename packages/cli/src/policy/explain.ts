/** `policy explain`: decides one text as the gateway would, and shows why. */
import {
  type Explanation,
  explain,
  type StatementExplanation,
  type Subject,
} from '@sallyport/policy'
import { type Analysis, type Catalog, createFreshAnalyze } from '@sallyport/sql'
import type { Cli } from '../context.ts'
import { momentOf } from '../duration.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { INPUT_BYTES_MAX, readConfig } from '../files.ts'
import { styled, type Text } from '../output.ts'

import { fileCatalog, liveCatalog, type Place, placeOf } from './catalog.ts'
import type { ExplainFlags } from './flags.ts'
import { policyOf } from './load.ts'
import { subjectOf } from './subject.ts'

export async function explainStatement(
  given: string,
  flags: ExplainFlags,
  cli: Cli,
): Promise<ExitCode> {
  const now = flags.at === undefined ? cli.now() : momentOf(flags.at, '--at', cli.now())
  const policy = await policyOf(flags, cli)
  const config = flags.config === undefined ? null : await readConfig(flags.config, cli)
  const place = config === null ? null : placeOf(config, flags.connection)
  const connection = place?.connection.name ?? flags.connection
  if (connection === undefined)
    throw new CliError('usage', 'say which connection: --connection NAME')
  const subject = await subjectOf(flags, { config, connection, cli })
  const catalog = await catalogOf(flags, place, cli)
  const { mysqlCodeOf, Views } = await import('@sallyport/gateway')
  const { view } = new Views().of(policy, subject, connection, catalog)
  const analyze = await createFreshAnalyze({ searchPath: flags.searchPath })
  const text = given === '-' ? await readStdin(cli) : given
  const analysis = analyze(text, catalog, place?.database)
  const explanation = explain(view, analysis, { now })
  const isMysql = catalog?.data.mysql !== undefined || place?.connection.protocol === 'mysql'
  const codeOf = (sqlstate: string) => (isMysql ? mysqlCodeOf(sqlstate) : { sqlstate })
  const { verdict } = explanation
  if (flags.json === true) {
    const said = verdict.kind === 'deny' ? { ...verdict, ...codeOf(verdict.sqlstate) } : verdict
    cli.out.json({ subject, connection, ...explanation, verdict: said })
  } else print(explanation, { analysis, subject, connection, catalog, codeOf, cli })
  return verdict.kind === 'allow' ? EXIT.ok : EXIT.notOk
}

async function catalogOf(
  flags: ExplainFlags,
  place: Place | null,
  cli: Cli,
): Promise<Catalog | null> {
  if (flags.catalog !== undefined) return fileCatalog(flags.catalog)
  return place === null ? null : liveCatalog(place, cli)
}

async function readStdin(cli: Cli): Promise<string> {
  let text = ''
  for await (const chunk of cli.stdin) {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')
    if (text.length > INPUT_BYTES_MAX) throw new CliError('usage', 'stdin is too long')
  }
  return text
}

interface Shown {
  readonly analysis: Analysis
  readonly subject: Subject
  readonly connection: string
  readonly catalog: Catalog | null
  /** What the client sees of it. */
  readonly codeOf: (sqlstate: string) => { readonly sqlstate: string; readonly errno?: number }
  readonly cli: Cli
}

function print(explanation: Explanation, shown: Shown): void {
  const { out } = shown.cli
  printVerdict(explanation, shown)
  const { subject, connection, catalog } = shown
  const { kind, groups, role, graph, node, run } = subject
  const context = [
    `groups ${groups.join(', ') || 'none'}`,
    ...(role === null ? [] : [`role ${role}`]),
    ...(graph === null ? [] : [`graph ${graph}`]),
    ...(node === null ? [] : [`node ${node}`]),
    ...(run === null ? [] : [`run ${run}`]),
  ]
  out.line(fieldLine('as', `${subject.subject} (${kind}; ${context.join('; ')}) on ${connection}`))
  out.line(fieldLine('policy', explanation.policyVersion.slice(0, 16)))
  out.line(
    fieldLine(
      'schema',
      catalog === null
        ? 'not known: names are not resolved (give --catalog or --config)'
        : `${catalog.data.mysql?.flavour ?? `database ${catalog.data.database}`}, ${catalog.data.relations.length} relations`,
    ),
  )
  if (!explanation.masked) out.line(fieldLine('masks', 'none apply to this principal here'))
  for (const [index, statement] of explanation.statements.entries()) {
    printStatement(statement, index + 1, shown.cli)
  }
}

const VERDICT_WORDS = {
  allow: ['green', 'ALLOW'],
  deny: ['red', 'DENY'],
  approve: ['yellow', 'APPROVE'],
} as const

function printVerdict(
  { verdict, mayConnect }: Explanation,
  { cli, analysis, codeOf }: Shown,
): void {
  const { out } = cli
  const [style, word] = VERDICT_WORDS[verdict.kind]
  out.line([
    styled(style, word),
    verdict.kind === 'allow' ? `  by ${verdict.rule}` : `  ${verdict.message}`,
  ])
  if (verdict.kind !== 'allow') {
    if (verdict.detail !== '') out.line(fieldLine('detail', verdict.detail))
    if (verdict.hint !== '') out.line(fieldLine('hint', verdict.hint))
  }
  if (verdict.kind === 'deny') {
    const rule = verdict.rule === null ? 'no rule' : `rule "${verdict.rule}"`
    const { errno, sqlstate } = codeOf(verdict.sqlstate)
    const number = errno === undefined ? '' : `error ${errno}, `
    out.line(fieldLine('code', `${verdict.code}, ${number}SQLSTATE ${sqlstate}, ${rule}`))
  }
  if (verdict.kind === 'approve') {
    for (const { rule, groups, subjects, count } of verdict.approvers) {
      const who = [...groups.map((name) => `group ${name}`), ...subjects].join(', ')
      out.line(fieldLine('approval', `${count} of ${who} (rule "${rule}")`))
    }
  }
  for (const { by, over, needs, approvers } of verdict.kind === 'deny' ? [] : verdict.gates) {
    const bounds = [
      ...(over.rows === null ? [] : [`${over.rows} rows`]),
      ...(over.cost === null ? [] : [`a cost of ${over.cost}`]),
    ].join(needs === 'all' ? ' and ' : ' or ')
    const then = approvers === null ? 'denied' : 'approval'
    out.line(fieldLine('estimate', `above ${bounds}: ${then} (rule "${by}")`))
  }
  if (!mayConnect) out.line(fieldLine('login', 'refused: no rule lets this principal in here'))
  if (analysis.kind === 'unparsable' && analysis.position !== null) {
    out.line(fieldLine('position', `character ${analysis.position}`))
  }
  for (const report of verdict.reports) out.line(fieldLine('report', report))
}

const fieldLine = (name: string, text: string): Text => ['  ', styled('dim', name.padEnd(10)), text]

function printStatement(statement: StatementExplanation, number: number, cli: Cli): void {
  const { out } = cli
  out.line()
  out.line(styled('bold', `${number}. ${statement.command}`))
  out.line(fieldLine('effects', statement.effects.join(', ') || 'none'))
  if (statement.relations.length > 0) {
    out.line(fieldLine('relations', statement.relations.join(', ')))
  }
  for (const unknown of statement.unknowns) out.line(fieldLine('unknown', unknown))
  for (const { need, grantedBy } of statement.needs) {
    const by = grantedBy.length === 0 ? styled('red', 'nobody grants it') : grantedBy.join(' + ')
    out.line(['  ', styled('dim', 'needs'.padEnd(10)), `${need}  ← `, by])
  }
  if (statement.guard !== null) {
    out.line(['  ', styled('dim', 'masks'.padEnd(10)), styled('red', statement.guard.message)])
  }
  if (statement.rules.length > 0) {
    out.line('  rules')
    for (const { rule, kind, outcome } of statement.rules) {
      const style = outcome === 'grants' ? 'green' : outcome === 'denies' ? 'red' : 'dim'
      out.line(['    ', kind.padEnd(8), styled(style, outcome.padEnd(20)), ' ', rule])
    }
  }
  if (statement.columns.length > 0) printColumns(statement, cli)
}

function printColumns(statement: StatementExplanation, cli: Cli): void {
  cli.out.line('  columns')
  cli.out.table(
    [
      { title: '    name', max: 44 },
      { title: 'outcome' },
      { title: 'mask' },
      { title: 'from', max: 100 },
      { title: 'because of', max: 80 },
      { title: 'how', max: 100 },
    ],
    statement.columns.map(({ name, outcome, mask, lineage, maskedBy, why }) => [
      `    ${name}`,
      styled(outcome === 'clean' ? 'green' : outcome === 'masked' ? 'yellow' : 'red', outcome),
      mask ?? '-',
      lineage,
      maskedBy.join(', ') || '-',
      why.join('; '),
    ]),
  )
}
