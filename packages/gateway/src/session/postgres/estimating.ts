/**
 * What PostgreSQL's planner expects of a statement that is about to run: asked on the session's own connection, so
 * with its search_path, role and temporary tables, and with the statement's own parameters. EXPLAIN runs nothing;
 * planning may compute what is immutable, so it is done read-only, with little time, and not at all for statements
 * that call functions nobody has read.
 */
import type { ProbeAnswer, Question } from '@sallyport/protocol-postgres'
import type { Estimated } from '../../approvals/journal.ts'
import { Beforehand } from '../beforehand.ts'
import type { Decided } from '../decisions.ts'
import { plannedOf, togetherOf } from '../planned.ts'
import { estimateIn } from './plan.ts'

/** Longer, and there is no estimate, ms: a lock may be in the way. */
const PLANNING_MS_MAX = 2_000
const TX_IDLE = 0x49
const TX_FAILED = 0x45
/** What EXPLAIN takes. */
const EXPLAINED =
  /^(select|insert|update|delete|merge|execute|declare cursor|create table as|select into)$/
const SAVEPOINT = 'sallyport_estimate'

/** The session in which a question of the gateway's own is asked. */
export interface AskedIn {
  readonly relay: () => {
    readonly quiescent: boolean
    readonly canBeAlone: boolean
    readonly transaction: number
  }
  readonly ask: Asking
  readonly resume: () => void
}

export interface PostgresEstimatingOptions extends AskedIn {
  /** The query whose rows a COPY sends; null: there is none. */
  readonly copied: (text: string) => string | null
  /** The statements of a text as texts of their own; null: that is not certain. */
  readonly parts: (text: string) => readonly string[] | null
}

/** Asks the server, and calls back between two messages of its. */
export type Asking = (questions: readonly Question[], done: (answer: ProbeAnswer) => void) => void

export interface Planned {
  readonly text: string
  readonly decided: Decided
  /** What names mean; see TrackedNames. */
  readonly namesKey: string
  /** Parameter types of its Parse, and the body of its Bind; null in the simple protocol. */
  readonly types: Buffer | null
  readonly bind: Buffer | null
}

export function postgresEstimating(
  options: PostgresEstimatingOptions,
): Beforehand<Planned, Estimated> {
  const { relay, ask, resume } = options
  return new Beforehand({
    keyOf,
    whyNot: (planned) => whyNot(planned, options),
    alone: () => relay().quiescent,
    ask: (planned, answered) => {
      const texts = plannedTexts(planned, options)
      askServer(ask, planned, {
        texts: typeof texts === 'string' ? [] : texts,
        idle: relay().transaction === TX_IDLE,
        answered,
      })
    },
    resume,
  })
}

function askServer(
  ask: Asking,
  { types, bind }: Planned,
  {
    texts,
    idle,
    answered,
  }: {
    readonly texts: readonly string[]
    readonly idle: boolean
    readonly answered: (estimate: Estimated) => void
  },
): void {
  const begin = idle
    ? ['BEGIN READ ONLY']
    : [`SAVEPOINT ${SAVEPOINT}`, 'SET LOCAL transaction_read_only = on']
  const end = idle
    ? ['ROLLBACK']
    : [`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`, `RELEASE SAVEPOINT ${SAVEPOINT}`]
  const hurry = ['statement_timeout', 'lock_timeout'].map(
    (setting) => `SET LOCAL ${setting} = ${PLANNING_MS_MAX}`,
  )
  // A Parse takes one statement, and the grammar gives EXPLAIN no more options than these.
  const explain = texts.map((text) => ({ text: `EXPLAIN (FORMAT JSON) ${text}`, types, bind }))
  ask([...[...begin, ...hurry].map(plain), ...explain], (answer) => {
    ask(end.map(plain), () => answered(estimatedFrom(answer, texts.length)))
  })
}

/** A question without parameters. */
export function plain(text: string): Question {
  return { text, types: null, bind: null }
}

function estimatedFrom(answer: ProbeAnswer, count: number): Estimated {
  if (answer.kind === 'refused') {
    return { kind: 'none', why: `the server does not plan it: SQLSTATE ${answer.sqlstate}` }
  }
  return togetherOf(answer.answers.slice(-count).map((json) => estimateIn(json ?? '')))
}

function whyNot(planned: Planned, options: PostgresEstimatingOptions): string | null {
  const { transaction, quiescent, canBeAlone } = options.relay()
  if (transaction === TX_FAILED) return 'its transaction has failed'
  const texts = plannedTexts(planned, options)
  if (typeof texts === 'string') return texts
  return !quiescent && !canBeAlone ? 'it is in the middle of a pipeline' : null
}

/** What the planner is asked about, or why it is not. */
function plannedTexts(
  { text, decided: { analysis } }: Planned,
  { copied, parts }: Pick<PostgresEstimatingOptions, 'copied' | 'parts'>,
): readonly string[] | string {
  if (analysis.kind !== 'statements') return 'it is not understood'
  const { statements } = analysis
  const planned = plannedOf(
    statements,
    ({ command, copy }) => copy?.direction === 'to-client' || EXPLAINED.test(command),
  )
  if (typeof planned === 'string') return planned
  const cut = statements.length === 1 ? [text] : parts(text)
  const asked = planned.map((at) => {
    const part = cut?.[at] ?? null
    return part !== null && statements[at]?.copy?.direction === 'to-client' ? copied(part) : part
  })
  const known = asked.filter((one) => one !== null)
  return known.length < asked.length ? 'the planner has no plan for it' : known
}

/** Equal for what is the same statement with the same parameters and meanings of names. */
export function keyOf({ text, namesKey, types, bind }: Planned): string {
  return [namesKey, text, types?.toString('latin1'), bind?.toString('latin1')].join('\0')
}
