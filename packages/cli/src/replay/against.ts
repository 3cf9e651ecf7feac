/**
 * A session's statements run again on another database, and what comes back compared with what was recorded.
 * The database is changed as the statements change it: it is to be a scratch one.
 */
import type { Statement } from '@sallyport/audit'
import pg from 'pg'
import type { Cli } from '../context.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import { counted } from '../numbers.ts'
import { jsonLine, styled } from '../output.ts'
import type { ReplayFlags } from './flags.ts'
import type { Result, Step } from './steps.ts'

/** Stands in a recorded text for a literal that may be of a masked column. */
const WITHHELD = /'…'|\[withheld\]/
const CONNECT_MS_MAX = 10_000

interface Ran {
  readonly seq: number
  readonly statement: Statement
  readonly results: Result[]
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
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    // Cells as the server sends them: that is how they were recorded.
    types: { getTypeParser: () => (value: string) => value },
  })
  await client.connect()
  const counts = { same: 0, 'not-run': 0, different: 0 }
  try {
    for (const ran of await ranStatements(steps)) {
      const comparison = await compare(client, ran)
      counts[comparison.kind]++
      print(ran, comparison, flags, cli)
    }
  } finally {
    await client.end()
  }
  cli.out.note(
    `${counted(counts.same, 'statement')} as recorded, ${counts.different} different, ${counts['not-run']} not run`,
  )
  return counts.different === 0 ? EXIT.ok : EXIT.notOk
}

/** Statements that were run, in order, each with its results. */
async function ranStatements(steps: AsyncIterable<Step>): Promise<readonly Ran[]> {
  const all = new Map<number, Ran>()
  for await (const step of steps) {
    if (step.kind === 'statement') {
      const { verdict, via } = step.statement
      const runs = via === 'simple' || via === 'execute'
      if (verdict === 'allow' && runs) all.set(step.seq, { ...step, results: [] })
    } else if (step.kind === 'result' && step.statement !== null) {
      all.get(step.statement)?.results.push(step.result)
    }
  }
  return [...all.values()]
}

async function compare(client: pg.Client, { statement, results }: Ran): Promise<Comparison> {
  const { sql, parameters = [], masks } = statement
  if (WITHHELD.test(sql) || parameters.some((value) => value !== null && WITHHELD.test(value))) {
    return { kind: 'not-run', why: 'its values were withheld from the record' }
  }
  if (statement.cut !== undefined) return { kind: 'not-run', why: 'its text was cut' }
  if (statement.via === 'execute' && parameters.length === 0 && /\$\d/.test(sql)) {
    return { kind: 'not-run', why: 'its parameters were not recorded' }
  }
  const failed = results.find(({ report }) => report !== null)?.report ?? null
  let now: readonly pg.QueryArrayResult[]
  try {
    const query = { text: sql, rowMode: 'array' as const }
    const answer = await client.query(
      parameters.length === 0 ? query : { ...query, values: [...parameters] },
    )
    now = Array.isArray(answer) ? answer : [answer]
  } catch (error) {
    const code = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
    if (failed !== null && failed.sqlstate === code) return { kind: 'same' }
    const before = failed === null ? 'it succeeded' : `it failed with ${failed.sqlstate}`
    return { kind: 'different', what: `fails with ${code || String(error)}; ${before}` }
  }
  if (failed !== null)
    return { kind: 'different', what: `succeeds; it failed with ${failed.sqlstate}` }
  for (const [i, result] of results.entries()) {
    const what = difference(result, now[i], masks.length > 0)
    if (what !== null) return { kind: 'different', what }
  }
  return { kind: 'same' }
}

/** Null: as it was, as far as it was recorded. Masked rows are compared by their number. */
function difference(
  before: Result,
  now: pg.QueryArrayResult | undefined,
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
