/**
 * What a statement that waits for approval would do, on MySQL and MariaDB: it is run on the session's own connection, so
 * in its database and with its settings and parameters, and rolled back at once: in a transaction of its own, or, where
 * policy says so, to a savepoint in the client's. There these servers keep its locks until the transaction ends, and a
 * deadlock undoes all of it: then the statement is refused as the server would have refused it. Not beside table locks.
 *
 * There is no RETURNING that both have: rows are selected before and after, by the statement's own WHERE and the
 * table's primary key. Of an INSERT approvers see how many.
 */
import { randomBytes } from 'node:crypto'
import type { PrincipalView } from '@sallyport/policy'
import { type ProbeAnswer, type Refusal, STATUS } from '@sallyport/protocol-mysql'
import type { Catalog, ChangedRows } from '@sallyport/sql'
import type { Preview } from '../../approvals/journal.ts'
import { Beforehand } from '../beforehand.ts'
import {
  none,
  type PreviewRequest,
  type PreviewTarget,
  previewTarget,
  TRIGGERS,
  unlessAskedBefore,
} from '../previews.ts'
import { factsOf } from './admitted.ts'
import { afterText, beforeText, type Cells, changedRows, literal } from './changed-rows.ts'
import { type Asking, keyOf, type Planned, textOf } from './estimating.ts'
import type { MysqlSessionNames } from './names.ts'
import { encodeText } from './text-encoding.ts'
import type { MysqlTexts } from './texts.ts'

/** Expected to touch more, it is not tried: MySQL has no limit to the time that a change takes. */
const ROWS_TRIED_MAX = 100_000
/** While it is tried, seconds; MySQL's `max_execution_time` in ms. */
const HURRY = {
  mysql: { innodb_lock_wait_timeout: 1, lock_wait_timeout: 1, max_execution_time: 2_000 },
  mariadb: { innodb_lock_wait_timeout: 1, lock_wait_timeout: 1, max_statement_time: 2 },
} as const
/** More than either server lets an index have. */
const KEY_COLUMNS_MAX = 64
/** Those of a key by which a row is found again. */
const KEY_TYPES = /^((tiny|small|medium|big)?int|decimal|(var)?char|date)$/
/** Another value each time that they are asked: their rows are not found before. */
const RANDOM = /^(rand|uuid.*|sys_guid|random_bytes|sysdate)$/

export interface Previewed extends Planned, PreviewRequest {
  readonly view: PrincipalView
  readonly catalog: Catalog | null
}

export interface MysqlPreviewingOptions {
  readonly names: MysqlSessionNames
  readonly texts: MysqlTexts
  readonly relay: () => { readonly quiescent: boolean; readonly status: number }
  /** Why nothing may be tried beside what the session has begun; null: it may. */
  readonly engaged: () => string | null
  /** The client's transaction has ended by what was tried in it: what the client is told. */
  readonly transactionLost: (previewed: Previewed) => Refusal
  readonly ask: Asking
  readonly resume: () => void
}

export function mysqlPreviewing(
  options: MysqlPreviewingOptions,
): Beforehand<Previewed, Preview | Refusal> {
  const { relay, resume } = options
  return new Beforehand<Previewed, Preview | Refusal>({
    // Another policy may hide more.
    keyOf: (previewed) =>
      JSON.stringify([previewed.view.policyVersion, previewed.allowed, keyOf(previewed)]),
    whyNot: (previewed) => whyNot(previewed, options),
    alone: () => relay().quiescent,
    ask: (previewed, answered) => {
      unlessAskedBefore(previewed, answered, () => tryOut(previewed, options, answered))
    },
    resume,
  })
}

function whyNot(previewed: Previewed, { relay, engaged }: MysqlPreviewingOptions): string | null {
  const { estimate, allowed } = previewed
  const target = targetOf(previewed)
  if (typeof target === 'string') return target
  if (isInside(relay().status) && !allowed.inTransactions) {
    return 'it is in a transaction, which would keep the locks of what is tried (`in-transactions`)'
  }
  if (estimate.kind === 'none') return estimate.why
  if (estimate.rows > ROWS_TRIED_MAX) return `it is expected to touch over ${ROWS_TRIED_MAX} rows`
  return engaged()
}

/** What is tried without a transaction of its own would be part of the client's, now or once it begins. */
function isInside(status: number): boolean {
  return (status & (STATUS.IN_TRANS | STATUS.AUTOCOMMIT)) !== STATUS.AUTOCOMMIT
}

function targetOf({ decided, view, catalog }: Previewed): PreviewTarget | string {
  return previewTarget({ facts: factsOf(decided) ?? [], view, catalog })
}

/** First what the server says of the table now, because a snapshot of the schema may be old; then the trial. */
function tryOut(
  previewed: Previewed,
  options: MysqlPreviewingOptions,
  answered: (preview: Preview | Refusal) => void,
): void {
  const { names, ask, texts } = options
  const target = targetOf(previewed)
  if (typeof target === 'string') return answered(none(target))
  const text = textOf(previewed, names, texts)
  const trial = text === null ? null : encodeText(text, names.charset)
  if (text === null || trial === null) return answered(none('its values cannot be written'))
  ask(questionsOf(target, names.flavour).map(utf8), (answers) => {
    const table = tableIn(answers, names.flavour)
    if (typeof table === 'string') return answered(none(table))
    if (!previewed.record()) return answered(none('it cannot be recorded'))
    const changed = isRandom(previewed) ? null : texts.changedRows(text, names)
    tryOn({ previewed, target, trial, table, changed }, options, answered)
  })
}

function isRandom({ decided }: Previewed): boolean {
  return factsOf(decided)?.[0]?.functions.some(({ name }) => RANDOM.test(name)) !== false
}

interface Trial {
  readonly previewed: Previewed
  readonly target: PreviewTarget
  readonly trial: Buffer
  readonly table: TableNow
  readonly changed: ChangedRows | null
}

function tryOn(
  { previewed, target, trial, table, changed }: Trial,
  options: MysqlPreviewingOptions,
  answered: (preview: Preview | Refusal) => void,
): void {
  const { names, ask, relay } = options
  const { rows } = previewed.allowed
  const frame = isInside(relay().status) ? insideFrame() : OWN
  const finish = (preview: Preview, undone = frame): void =>
    undo(undone, { table, previewed }, options, (lost) => answered(lost ?? preview))
  const isFound = changed !== null && !changed.assigned.some((name) => table.key.includes(name))
  const key = isFound && rows > 0 ? table.key : []
  const before =
    changed === null || key.length === 0 ? 'DO 0' : beforeText(target, { changed, key, rows })
  const run = (were: readonly Cells[]): void =>
    ask([trial, utf8('SELECT ROW_COUNT() LIMIT 1')], (answers) => {
      if (answers === null) return finish(none(REFUSED))
      const columns = target.columns.map(({ name }) => name)
      const affected = Number(answers[1]?.[0]?.[0])
      const preview = { kind: 'preview', affected, columns } as const
      if (were.length === 0) return finish({ ...preview, rows: [] })
      ask([utf8(afterText(target, { key, were }))], (again) =>
        finish({ ...preview, rows: changedRows(were, again?.[0] ?? null) }),
      )
    })
  // INVARIANT: the trial is sent when all before it has been answered. A deadlock ends the transaction: what came
  // behind it on the wire would be committed.
  ask([`SET SESSION ${settingsText(HURRY[names.flavour])}`, frame.begin].map(utf8), (begun) => {
    // Where there is no savepoint, nothing has been tried either.
    if (begun === null && frame.inside) return finish(none(REFUSED), { ...frame, end: [] })
    if (begun === null || !isInside(relay().status)) return finish(none(REFUSED))
    ask([utf8(before)], (found) => (found === null ? finish(none(REFUSED)) : run(found[0] ?? [])))
  })
}

/** What is said before and after what is tried. */
interface Frame {
  readonly begin: string
  readonly end: readonly string[]
  /** The transaction is the client's. */
  readonly inside: boolean
}

const ROLLBACK = 'ROLLBACK AND NO CHAIN NO RELEASE'
const OWN: Frame = { begin: 'START TRANSACTION', end: [ROLLBACK], inside: false }

/** No savepoint of the client's is called so: a second one of a name would take the place of the first. */
function insideFrame(): Frame {
  const savepoint = `sallyport_${randomBytes(8).toString('hex')}`
  return {
    begin: `SAVEPOINT ${savepoint}`,
    end: [`ROLLBACK TO SAVEPOINT ${savepoint}`, `RELEASE SAVEPOINT ${savepoint}`],
    inside: true,
  }
}

/**
 * INVARIANT: nothing of it is left when the statement itself runs, or there is no session for it to run in. `lost`: the
 * client's transaction is gone with it; null: it is as it was.
 */
function undo(
  { end, inside }: Frame,
  { table, previewed }: Pick<Trial, 'table' | 'previewed'>,
  { ask, relay, transactionLost }: MysqlPreviewingOptions,
  done: (lost: Refusal | null) => void,
): void {
  ask([...end, ...table.restore].map(utf8), (answers) => {
    if (answers !== null && (inside || !isOpen(relay().status))) return done(null)
    if (!inside) throw new Error('what was tried could not be rolled back')
    ask([ROLLBACK, ...table.restore].map(utf8), (again) => {
      if (again === null || isOpen(relay().status)) {
        throw new Error('what was tried could not be rolled back')
      }
      done(transactionLost(previewed))
    })
  })
}

const isOpen = (status: number): boolean => (status & STATUS.IN_TRANS) !== 0

const REFUSED = 'the database does not run it'
const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8')
const settingsText = (settings: Readonly<Record<string, number | string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ')

// What the server says of the table.

interface TableNow {
  /** Lower-case columns of its primary key; none: it has none by which rows are found again. */
  readonly key: readonly string[]
  /** What makes the session's settings, and the id that it inserted last, what they were. */
  readonly restore: readonly string[]
}

/** With a LIMIT each: `sql_select_limit` of the session cuts what has none. */
function questionsOf(
  { relation: { schema, name } }: PreviewTarget,
  flavour: MysqlSessionNames['flavour'],
): readonly string[] {
  const table = (prefix = ''): string =>
    `${prefix}TABLE_SCHEMA = ${literal(schema)} AND ${prefix}TABLE_NAME = ${literal(name)}`
  const settings = Object.keys(HURRY[flavour]).map((setting) => `@@SESSION.${setting}`)
  return [
    `SELECT ENGINE, (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ${literal(schema)}
       AND EVENT_OBJECT_TABLE = ${literal(name)}) FROM information_schema.TABLES WHERE ${table()} LIMIT 1`,
    `SELECT CAST(LOWER(COLUMN_NAME) AS BINARY), LOWER(DATA_TYPE) FROM information_schema.COLUMNS
     JOIN information_schema.STATISTICS USING (TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME)
     WHERE ${table()} AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX LIMIT ${KEY_COLUMNS_MAX}`,
    `SELECT LAST_INSERT_ID(), ${settings.join(', ')} LIMIT 1`,
  ]
}

function tableIn(
  answers: readonly ProbeAnswer[] | null,
  flavour: MysqlSessionNames['flavour'],
): TableNow | string {
  const [tables, keys = [], session] = answers ?? []
  const [engine, triggers] = tables?.[0] ?? []
  const [latest, ...values] = session?.[0] ?? []
  if (engine?.toLowerCase() !== 'innodb') return 'changes of its table might not be rolled back'
  if (triggers !== '0') return TRIGGERS
  const settings = Object.keys(HURRY[flavour]).map((name, i) => [name, values[i] ?? ''] as const)
  if (![latest ?? '', ...values.map(String)].every((value) => /^\d+(\.\d+)?$/.test(value))) {
    return 'its session is not understood'
  }
  return {
    key: keys.every(([, type]) => KEY_TYPES.test(type ?? ''))
      ? keys.map(([name]) => name ?? '')
      : [],
    restore: [
      `SET SESSION ${settingsText(Object.fromEntries(settings))}`,
      `SELECT LAST_INSERT_ID(${latest})`,
    ],
  }
}
