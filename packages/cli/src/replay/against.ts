/**
 * A session's statements run again on another database, and what comes back compared with what was recorded.
 * The database is changed as the statements change it: it is to be a scratch one.
 */
import type { Outcome, Statement } from '@sallyport/audit'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { counted } from '../numbers.ts'
import { jsonLine, styled } from '../output.ts'
import type { ReplayFlags } from './flags.ts'
import type { Scratch, ScratchResult } from './scratch.ts'
import type { Result, Step } from './steps.ts'

/** It would leave the scratch database. */
const USE = /^\s*use\s/i

const NOT_RUN = 'the record does not say that it ran'

interface Ran {
  readonly seq: number
  readonly statement: Statement
  readonly results: Result[]
  /** How it went, where the session was not recorded. */
  outcome: Outcome | null
}

type Comparison =
  | { readonly kind: 'same' }
  | { readonly kind: 'not-run'; readonly why: string }
  | { readonly kind: 'different'; readonly what: string }

export async function replayAgainst(
  steps: AsyncIterable<Step>,
  url: string,
  flags: ReplayFlags,
  cli: Cli,
): Promise<ExitCode> {
  const scratch = await scratchAt(url)
  const counts = { same: 0, 'not-run': 0, different: 0 }
  try {
    for (const ran of await ranStatements(steps)) {
      const comparison = await compare(scratch, ran)
      counts[comparison.kind]++
      print(ran, comparison, flags, cli)
    }
  } finally {
    await scratch.close()
  }
  cli.out.note(
    `${counted(counts.same, 'statement')} as recorded, ${counts.different} different, ${counts['not-run']} not run`,
  )
  return counts.different === 0 ? EXIT.ok : EXIT.notOk
}

async function scratchAt(url: string): Promise<Scratch> {
  try {
    if (/^(mysql|mariadb):/.test(url)) {
      const { mysqlScratch } = await import('./scratch-mysql.ts')
      return await mysqlScratch(url)
    }
    const { postgresScratch } = await import('./scratch-postgres.ts')
    return await postgresScratch(url)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CliError('unavailable', `the scratch database cannot be used: ${why}`, { cause })
  }
}

/** Statements that were let through, in order, each with its results. */
async function ranStatements(steps: AsyncIterable<Step>): Promise<readonly Ran[]> {
  const all = new Map<number, Ran>()
  for await (const step of steps) {
    if (step.kind === 'statement') {
      const { verdict, via } = step.statement
      const runs = via === 'simple' || via === 'execute'
      if (verdict !== 'deny' && runs) all.set(step.seq, { ...step, results: [], outcome: null })
    } else if (step.kind === 'result' && step.statement !== null) {
      all.get(step.statement)?.results.push(step.result)
    } else if (step.kind === 'record' && step.record.event.type === 'outcome') {
      // Safe: its type says so, and only a log writes records.
      const outcome = step.record.event as unknown as Outcome
      const ran = all.get(outcome.statement)
      if (ran !== undefined) ran.outcome = outcome
    }
  }
  return [...all.values()]
}

async function compare(scratch: Scratch, ran: Ran): Promise<Comparison> {
  const { statement, results, outcome } = ran
  const { sql, parameters = [], masks } = statement
  if (results.length === 0 && (outcome === null || outcome.status === 'refused')) {
    const held = statement.verdict === 'approve' ? 'it was held, and did not run' : NOT_RUN
    return { kind: 'not-run', why: held }
  }
  if (statement.withheld === 'values') {
    return { kind: 'not-run', why: 'its values were withheld from the record' }
  }
  if (statement.cut !== undefined) return { kind: 'not-run', why: 'its text was cut' }
  if (USE.test(sql)) return { kind: 'not-run', why: 'it would leave the scratch database' }
  if (statement.via === 'execute' && parameters.length === 0 && /\$\d|\?/.test(sql)) {
    return { kind: 'not-run', why: 'its parameters were not recorded' }
  }
  const failed = failureOf(ran)
  const now = await scratch.run(sql, parameters)
  if (now.kind === 'failed') {
    if (failed !== null && failed.sqlstate === now.sqlstate) return { kind: 'same' }
    const before = failed === null ? 'it succeeded' : `it failed with ${failed.sqlstate}`
    return { kind: 'different', what: `fails with ${now.sqlstate || now.message}; ${before}` }
  }
  if (failed !== null)
    return { kind: 'different', what: `succeeds; it failed with ${failed.sqlstate}` }
  if (results.length === 0 && outcome !== null) {
    const rows = now.results.reduce((sum, result) => sum + result.rows.length, 0)
    // A COPY's rows are counted, too, and come otherwise here.
    if (rows === outcome.rows || /^copy/i.test(outcome.commandTag ?? '')) return { kind: 'same' }
    return { kind: 'different', what: `${counted(rows, 'row')}; there were ${outcome.rows}` }
  }
  for (const [i, result] of results.entries()) {
    const what = difference(result, now.results[i], masks.length > 0)
    if (what !== null) return { kind: 'different', what }
  }
  return { kind: 'same' }
}

/** What it failed with; null: it succeeded. */
function failureOf({ results, outcome }: Ran): { readonly sqlstate: string } | null {
  const report = results.find((result) => result.report !== null)?.report
  if (report) return report
  const failed = outcome?.status === 'error' || outcome?.status === 'cancelled'
  return failed ? { sqlstate: outcome.sqlstate ?? '' } : null
}

/** Null: as it was, as far as it was recorded. Masked rows are compared by their number. */
function difference(
  before: Result,
  now: ScratchResult | undefined,
  masked: boolean,
): string | null {
  const rows = now?.rows ?? []
  const count = before.rows.length + before.missing
  if (before.columns.length > 0 && rows.length !== count) {
    return `${counted(rows.length, 'row')}; there were ${count}`
  }
  if (masked) return null
  for (const [i, row] of before.rows.entries()) {
    const cell = row.findIndex((value, j) => value !== (rows[i]?.[j] ?? null))
    if (cell >= 0) {
      const name = before.columns[cell]?.name ?? `column ${cell + 1}`
      return `row ${i + 1}, ${name}: \`${rows[i]?.[cell] ?? 'NULL'}\`; it was \`${row[cell] ?? 'NULL'}\``
    }
  }
  return null
}

const STYLES = { same: 'green', 'not-run': 'dim', different: 'red' } as const

function print(
  { seq, statement }: Ran,
  comparison: Comparison,
  flags: ReplayFlags,
  cli: Cli,
): void {
  if (flags.json === true) {
    cli.out.raw(`${jsonLine({ seq, sql: statement.sql, ...comparison })}\n`)
    return
  }
  const { kind } = comparison
  const why = kind === 'same' ? '' : `  ${kind === 'not-run' ? comparison.why : comparison.what}`
  cli.out.line([styled('dim', `#${seq} `), styled(STYLES[kind], kind), `  ${statement.sql}`])
  if (why !== '') cli.out.line([styled(STYLES[kind], `   ${why}`)])
}
