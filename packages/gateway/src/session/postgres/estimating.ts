/**
 * What PostgreSQL's planner expects of a statement that is about to run: asked on the session's own connection, so
 * with its search_path, role and temporary tables, and with the statement's own parameters. EXPLAIN runs nothing;
 * planning may compute what is immutable, so it is done read-only, with little time, and not at all for statements
 * that call functions nobody has read.
 */
import type { ProbeAnswer, Question, Refusal } from '@sallyport/protocol-postgres'
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
/** Errors that are the statement's own, and not of how it is asked about: values, names, types, a failed transaction. */
const ITS_OWN = /^(22|25P02|26|34|3F|42)/

/** The session in which a question of the gateway's own is asked. */
export interface AskedIn {
  readonly relay: () => {
    readonly quiescent: boolean
    readonly answered: boolean
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
  /** The server would not run it either, and said so: the error as the client may read it. */
  readonly unplanned: (planned: Planned, refused: Refused) => Refusal
  /** In the middle of a pipeline, which has failed with it: the client has been told. */
  readonly failed: () => void
}

/** Asks the server, and calls back between two messages of its. */
export type Asking = (questions: readonly Question[], done: (answer: ProbeAnswer) => void) => void

type Refused = Extract<ProbeAnswer, { kind: 'refused' }>

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
): Beforehand<Planned, Estimated | Refusal> {
  const { relay, resume } = options
  return new Beforehand({
    keyOf,
    whyNot: (planned) => whyNot(planned, options),
    alone: () => relay().quiescent || (relay().answered && !relay().canBeAlone),
    ask: (planned, answered) => {
      const texts = plannedTexts(planned, options)
      const asked = { texts: typeof texts === 'string' ? [] : texts, answered }
      if (relay().quiescent) askAlone(planned, asked, options)
      else askInside(planned, asked, options)
    },
    resume,
  })
}

interface AskedOf {
  readonly texts: readonly string[]
  readonly answered: (answer: Estimated | Refusal) => void
}

function askAlone(
  planned: Planned,
  { texts, answered }: AskedOf,
  { ask, relay, unplanned }: PostgresEstimatingOptions,
): void {
  const { begin, end } = framed(relay().transaction)
  ask([...begin.map(plain), ...explained(planned, texts)], (answer) => {
    const isItsOwn = answer.kind === 'refused' && ITS_OWN.test(answer.sqlstate)
    const settled = isItsOwn ? unplanned(planned, answer) : estimatedFrom(answer, texts.length)
    ask(end.map(plain), () => answered(settled))
  })
}

const HURRY = ['statement_timeout', 'lock_timeout'].map(
  (setting) => `SET LOCAL ${setting} = ${PLANNING_MS_MAX}`,
)

/** What is said before and after, so that nothing stays; a transaction that has failed takes nothing, and says so. */
function framed(transaction: number): Record<'begin' | 'end', readonly string[]> {
  switch (transaction) {
    case TX_IDLE:
      return { begin: ['BEGIN READ ONLY', ...HURRY], end: ['ROLLBACK'] }
    case TX_FAILED:
      return { begin: [], end: [] }
    default:
      return {
        begin: [`SAVEPOINT ${SAVEPOINT}`, 'SET LOCAL transaction_read_only = on', ...HURRY],
        end: [`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`, `RELEASE SAVEPOINT ${SAVEPOINT}`],
      }
  }
}

/**
 * A pipeline outside a transaction block knows no savepoints, and ending it would commit what is before. What planning
 * does is undone with the pipeline where the statement is not to run, and it would be planned as it is run. An error
 * is the pipeline's, as it would have been at the statement itself.
 */
function askInside(
  planned: Planned,
  { texts, answered }: AskedOf,
  { ask, unplanned, failed, resume }: PostgresEstimatingOptions,
): void {
  ask(explained(planned, texts), (answer) => {
    if (answer.kind === 'answers') return answered(estimatedFrom(answer, texts.length))
    unplanned(planned, answer)
    failed()
    resume()
  })
}

/** A Parse takes one statement, and the grammar gives EXPLAIN no more options than these. */
function explained({ types, bind }: Planned, texts: readonly string[]): readonly Question[] {
  return texts.map((text) => ({ text: `EXPLAIN (FORMAT JSON) ${text}`, types, bind }))
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
  const { quiescent, canBeAlone } = options.relay()
  const texts = plannedTexts(planned, options)
  if (typeof texts === 'string') return texts
  // What goes wrong there is answered to the pipeline's Sync, for which the sender of a Query does not wait.
  const isQuery = planned.bind === null
  return isQuery && !quiescent && !canBeAlone ? 'it is in the middle of a pipeline' : null
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
