/**
 * What the planner of MySQL or MariaDB expects of a statement that is about to run: asked on the session's own
 * connection, so in its database and with its settings. EXPLAIN changes nothing; it may evaluate subqueries, so it
 * is not done for statements that call functions nobody has read.
 */
import type { BindParameter } from '@sallyport/policy'
import { type ProbeAnswer, TYPE } from '@sallyport/protocol-mysql'
import type { Estimated } from '../../approvals/journal.ts'
import { Beforehand } from '../beforehand.ts'
import type { Decided } from '../decisions.ts'
import { plannedOf, togetherOf } from '../planned.ts'
import { factsOf } from './admitted.ts'
import type { MysqlSessionNames } from './names.ts'
import { estimateFrom } from './plan.ts'
import { encodeText } from './text-encoding.ts'
import type { MysqlTexts } from './texts.ts'

/** What EXPLAIN takes. */
const EXPLAINED = /^(select|insert|replace|update|delete)$/
/** What they say is of the statement before: once that is a question of the gateway's, it is not what the client's said. */
const LOOKING_BACK = /^(row_count|found_rows)$/
const INSERTING = /^(insert|replace)$/
const NUMERIC: ReadonlySet<number> = new Set([
  TYPE.TINY,
  TYPE.SHORT,
  TYPE.LONG,
  TYPE.LONGLONG,
  TYPE.INT24,
  TYPE.YEAR,
  TYPE.FLOAT,
  TYPE.DOUBLE,
  TYPE.DECIMAL,
  TYPE.NEWDECIMAL,
])
/** See plan.ts. */
const FORMATS = { mysql: ['FORMAT=TRADITIONAL', 'FORMAT=JSON'], mariadb: ['EXTENDED'] } as const
const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i

export interface MysqlEstimatingOptions {
  readonly names: MysqlSessionNames
  readonly texts: MysqlTexts
  readonly quiescent: () => boolean
  readonly ask: Asking
  readonly resume: () => void
}

/** Asks the server, and calls back between two messages of its; null: it was refused. */
export type Asking = (
  questions: readonly Buffer[],
  done: (answers: readonly ProbeAnswer[] | null) => void,
) => void

export interface Planned {
  readonly text: string
  readonly decided: Decided
  /** What names mean; see MysqlSessionNames. */
  readonly namesKey: string
  /** Null where there are none to bind. */
  readonly parameters: readonly BindParameter[] | null
}

export function mysqlEstimating(options: MysqlEstimatingOptions): Beforehand<Planned, Estimated> {
  const { names, texts, quiescent, ask, resume } = options
  return new Beforehand({
    keyOf,
    whyNot,
    alone: quiescent,
    ask: (planned, answered) => {
      const asked = plannedTexts(planned, { names, texts })
      const questions = asked.flatMap((text) =>
        FORMATS[names.flavour].map((format) =>
          text === null ? null : encodeText(`EXPLAIN ${format} ${text}`, names.charset),
        ),
      )
      const known = questions.filter((question) => question !== null)
      // Nothing has been asked: what answers at once still answers later.
      if (known.length < questions.length) {
        return queueMicrotask(() => answered({ kind: 'none', why: 'its values cannot be written' }))
      }
      ask(known, (answers) => answered(estimated(planned, answers, { names, texts })))
    },
    resume,
  })
}

function whyNot({ decided }: Planned): string | null {
  const facts = factsOf(decided)
  if (facts === null || facts.length === 0) return 'it is not understood'
  if (facts.some(({ functions }) => functions.some(({ name }) => LOOKING_BACK.test(name))))
    return 'it asks about the statement before it'
  const planned = plannedOf(facts, ({ command }) => EXPLAINED.test(command))
  return typeof planned === 'string' ? planned : null
}

const indexesOf = ({ decided }: Planned): readonly number[] => {
  const planned = plannedOf(factsOf(decided) ?? [], ({ command }) => EXPLAINED.test(command))
  return typeof planned === 'string' ? [] : planned
}

/** Null: its values cannot be written. Parameters are those of a text with one statement. */
function plannedTexts(
  planned: Planned,
  { names, texts }: Pick<MysqlEstimatingOptions, 'names' | 'texts'>,
): readonly (string | null)[] {
  const parts = texts.parts(planned.text, names) ?? []
  if (parts.length < 2) return [textOf(planned, names, texts)]
  return indexesOf(planned).map((at) => parts[at] ?? null)
}

/**
 * The statement as it was read, with its parameters. Null: they cannot be written as SQL. Not what it was decided by:
 * texts that differ in their literals are decided once.
 */
export function textOf(
  { text, parameters }: Planned,
  names: MysqlSessionNames,
  texts: MysqlTexts,
): string | null {
  const [read, ...more] = texts.parts(text, names) ?? []
  if (read === undefined || more.length > 0) return null
  if (parameters === null) return read
  return texts.withParameters(read, parameters.map(literalOf), names)
}

/** Hexadecimal digits: no value can be anything else than a value. */
function literalOf({ value, typeId }: BindParameter): string {
  if (value === null) return 'NULL'
  const text = Buffer.from(value).toString('utf8')
  if (NUMERIC.has(typeId) && NUMBER.test(text)) return text
  return `_utf8mb4 x'${Buffer.from(value).toString('hex')}'`
}

function estimated(
  planned: Planned,
  answers: readonly ProbeAnswer[] | null,
  { names, texts }: Pick<MysqlEstimatingOptions, 'names' | 'texts'>,
): Estimated {
  const { text, decided } = planned
  const parts = texts.parts(text, names) ?? []
  const each = FORMATS[names.flavour].length
  return togetherOf(
    indexesOf(planned).map((at, i) => {
      const [tables = [], json] = answers?.slice(i * each, (i + 1) * each) ?? []
      if (tables.length === 0) return { kind: 'none', why: 'the server does not plan it' }
      const { command = '' } = factsOf(decided)?.[at] ?? {}
      const own = parts.length < 2 ? text : (parts[at] ?? '')
      const limit = texts.limit(own, names)
      const valuesRows = INSERTING.test(command) ? texts.valuesRows(own, names) : null
      return estimateFrom({ tables, json: json?.[0]?.[0] ?? null, valuesRows, limit })
    }),
  )
}

/** Equal for what is the same statement with the same parameters and meanings of names. */
export function keyOf({ text, namesKey, parameters }: Planned): string {
  const bound = parameters?.map(({ typeId, value }) => [
    typeId,
    value === null ? null : Buffer.from(value).toString('latin1'),
  ])
  return JSON.stringify([namesKey, text, bound ?? null])
}
