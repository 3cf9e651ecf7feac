/**
 * What a statement that waits for approval would do, on MySQL and MariaDB: it is run on the session's own connection, so
 * in its database and with its settings and parameters, and rolled back at once. Only where that cannot end what the
 * client has begun: on a deadlock these servers undo a whole transaction, so not inside of one, nor beside table locks.
 *
 * There is no RETURNING that both have: rows are selected before and after, by the statement's own WHERE and the
 * table's primary key. Of an INSERT approvers see how many.
 */
import type { PrincipalView } from '@sallyport/policy'
import { type ProbeAnswer, STATUS } from '@sallyport/protocol-mysql'
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
  readonly ask: Asking
  readonly resume: () => void
}

export function mysqlPreviewing(options: MysqlPreviewingOptions): Beforehand<Previewed, Preview> {
  const { relay, resume } = options
  return new Beforehand<Previewed, Preview>({
    // Another policy may hide more.
    keyOf: (previewed) =>
      JSON.stringify([previewed.view.policyVersion, previewed.rows, keyOf(previewed)]),
    whyNot: (previewed) => whyNot(previewed, options),
    alone: () => relay().quiescent,
    ask: (previewed, answered) => {
      unlessAskedBefore(previewed, answered, () => tryOut(previewed, options, answered))
    },
    resume,
  })
}

function whyNot(previewed: Previewed, { relay, engaged }: MysqlPreviewingOptions): string | null {
  const { estimate } = previewed
  const target = targetOf(previewed)
  if (typeof target === 'string') return target
  if ((relay().status & (STATUS.IN_TRANS | STATUS.AUTOCOMMIT)) !== STATUS.AUTOCOMMIT) {
    return 'it is in a transaction, which trying it might end'
  }
  if (estimate.kind === 'none') return estimate.why
  if (estimate.rows > ROWS_TRIED_MAX) return `it is expected to touch over ${ROWS_TRIED_MAX} rows`
  return engaged()
}

function targetOf({ decided, view, catalog }: Previewed): PreviewTarget | string {
  return previewTarget({ facts: factsOf(decided) ?? [], view, catalog })
}

/** First what the server says of the table now, because a snapshot of the schema may be old; then the trial. */
function tryOut(
  previewed: Previewed,
  options: MysqlPreviewingOptions,
  answered: (preview: Preview) => void,
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
    const { rows } = previewed
    tryOn({ target, trial, rows, table, changed }, options, answered)
  })
}

function isRandom({ decided }: Previewed): boolean {
  return factsOf(decided)?.[0]?.functions.some(({ name }) => RANDOM.test(name)) !== false
}

interface Trial {
  readonly target: PreviewTarget
  readonly trial: Buffer
  readonly rows: number
  readonly table: TableNow
  readonly changed: ChangedRows | null
}

function tryOn(
  { target, trial, rows, table, changed }: Trial,
  { names, ask, relay }: MysqlPreviewingOptions,
  answered: (preview: Preview) => void,
): void {
  const finish = (preview: Preview): void => {
    const end = ['ROLLBACK AND NO CHAIN NO RELEASE', ...table.restore]
    ask(end.map(utf8), (answers) => {
      // INVARIANT: nothing of it is left when the statement itself runs, or there is no session for it to run in.
      if (answers === null || (relay().status & STATUS.IN_TRANS) !== 0) {
        throw new Error('what was tried could not be rolled back')
      }
      answered(preview)
    })
  }
  const isFound = changed !== null && !changed.assigned.some((name) => table.key.includes(name))
  const key = isFound && rows > 0 ? table.key : []
  const before =
    changed === null || key.length === 0 ? 'DO 0' : beforeText(target, { changed, key, rows })
  const run = (were: readonly Cells[]): void =>
    ask([trial, utf8('SELECT ROW_COUNT()')], (answers) => {
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
  ask(
    [`SET SESSION ${settingsText(HURRY[names.flavour])}`, 'START TRANSACTION'].map(utf8),
    (begun) => {
      if (begun === null || (relay().status & STATUS.IN_TRANS) === 0) return finish(none(REFUSED))
      ask([utf8(before)], (found) => (found === null ? finish(none(REFUSED)) : run(found[0] ?? [])))
    },
  )
}

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

function questionsOf(
  { relation: { schema, name } }: PreviewTarget,
  flavour: MysqlSessionNames['flavour'],
): readonly string[] {
  const table = (prefix = ''): string =>
    `${prefix}TABLE_SCHEMA = ${literal(schema)} AND ${prefix}TABLE_NAME = ${literal(name)}`
  const settings = Object.keys(HURRY[flavour]).map((setting) => `@@SESSION.${setting}`)
  return [
    `SELECT ENGINE, (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ${literal(schema)}
       AND EVENT_OBJECT_TABLE = ${literal(name)}) FROM information_schema.TABLES WHERE ${table()}`,
    `SELECT CAST(LOWER(COLUMN_NAME) AS BINARY), LOWER(DATA_TYPE) FROM information_schema.COLUMNS
     JOIN information_schema.STATISTICS USING (TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME)
     WHERE ${table()} AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX`,
    `SELECT LAST_INSERT_ID(), ${settings.join(', ')}`,
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
