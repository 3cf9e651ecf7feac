/**
 * What a statement that waits for approval would do, on PostgreSQL: it is run on the session's own connection, so with
 * its search_path, role and temporary tables and with the statement's own parameters, and rolled back at once. Locks
 * are held while it runs and no longer; values of sequences it takes are gone, as after any statement that fails.
 */
import type { PrincipalView } from '@sallyport/policy'
import type { ProbeAnswer } from '@sallyport/protocol-postgres'
import type { Catalog, PreviewWanted } from '@sallyport/sql'
import type { Preview, PreviewRow } from '../../approvals/journal.ts'
import { Beforehand, type None } from '../beforehand.ts'
import {
  none,
  PREVIEW_LOCK_MS_MAX,
  PREVIEW_MS_MAX,
  type PreviewRequest,
  type PreviewTarget,
  previewTarget,
  TRIGGERS,
  unlessAskedBefore,
} from '../previews.ts'
import { factsOf } from './admitted.ts'
import { type AskedIn, keyOf, type Planned, plain } from './estimating.ts'

const TX_IDLE = 0x49
const TX_FAILED = 0x45
const SAVEPOINT = 'sallyport_preview'

export interface Previewed extends Planned, PreviewRequest {
  readonly view: PrincipalView
  readonly catalog: Catalog | null
}

export interface PostgresPreviewingOptions extends AskedIn {
  readonly textOf: (text: string, wanted: PreviewWanted) => string | null
  /** The server's major version. */
  readonly version: () => number
}

export function postgresPreviewing(
  options: PostgresPreviewingOptions,
): Beforehand<Previewed, Preview> {
  const { relay, resume } = options
  return new Beforehand<Previewed, Preview>({
    // Another policy may hide more.
    keyOf: (previewed) =>
      [previewed.view.policyVersion, previewed.allowed.rows, keyOf(previewed)].join('\0'),
    whyNot: (previewed) => whyNot(previewed, relay()),
    alone: () => relay().quiescent,
    ask: (previewed, answered) => {
      unlessAskedBefore(previewed, answered, () => tryOut(previewed, options, answered))
    },
    resume,
  })
}

function whyNot(
  { decided, view, catalog }: Previewed,
  relay: ReturnType<PostgresPreviewingOptions['relay']>,
): string | null {
  if (relay.transaction === TX_FAILED) return 'its transaction has failed'
  const target = previewTarget({ facts: factsOf(decided) ?? [], view, catalog })
  if (typeof target === 'string') return target
  if (!relay.quiescent && !relay.canBeAlone)
    return 'it is in the middle of a pipeline, where nothing can be undone by itself'
  return null
}

/**
 * Two rounds: the server is first asked what would run along with it, because a snapshot of the schema may be old, and
 * does not know of partitions' triggers or what a default calls.
 */
function tryOut(
  { text, types, bind, decided, view, catalog, allowed, record }: Previewed,
  { relay, ask, textOf, version }: PostgresPreviewingOptions,
  answered: (preview: Preview) => void,
): void {
  const target = previewTarget({ facts: factsOf(decided) ?? [], view, catalog })
  if (typeof target === 'string') return answered(none(target))
  const { columns } = target
  const trial = textOf(text, { columns, rows: allowed.rows, version: version() })
  if (trial === null) return answered(none('it cannot be read with certainty'))
  if (!record()) return answered(none('it cannot be recorded'))
  const idle = relay().transaction === TX_IDLE
  const back = [`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`]
  const end = idle ? ['ROLLBACK'] : [...back, `RELEASE SAVEPOINT ${SAVEPOINT}`]
  const finish = (preview: Preview): void => ask(end.map(plain), () => answered(preview))
  const check = [...(idle ? ['BEGIN'] : []), `SAVEPOINT ${SAVEPOINT}`, ...HURRY, besides(target)]
  ask(check.map(plain), (first) => {
    if (first.kind === 'refused') return finish(refused(first))
    const why = first.answers.at(-1) ?? ''
    if (why !== '') return finish(none(why))
    ask([...[...back, ...HURRY].map(plain), { text: trial, types, bind }], (second) =>
      finish(second.kind === 'refused' ? refused(second) : previewIn(second, columns)),
    )
  })
}

const HURRY = [
  `SET LOCAL statement_timeout = ${PREVIEW_MS_MAX}`,
  `SET LOCAL lock_timeout = ${PREVIEW_LOCK_MS_MAX}`,
]

/** The server's words might quote values; its code does not. */
function refused({ sqlstate }: Extract<ProbeAnswer, { kind: 'refused' }>): None {
  return none(`the database does not run it: SQLSTATE ${sqlstate}`)
}

function previewIn(
  { answers }: Extract<ProbeAnswer, { kind: 'answers' }>,
  columns: PreviewTarget['columns'],
): Preview {
  // Safe: it is the answer to the text that was made for it; see packages/sql/src/postgres/preview.ts.
  const { affected, rows } = JSON.parse(answers.at(-1) ?? '') as {
    affected: number
    rows: [PreviewRow['before'], PreviewRow['after']][] | null
  }
  return {
    kind: 'preview',
    affected,
    columns: columns.map(({ name }) => name),
    rows: (rows ?? []).map(([before, after]) => ({ before, after })),
  }
}

/**
 * Why what runs along with a write of this table might not be rolled back; empty: nothing does. Asks about the table,
 * its partitions and children, and tables that its foreign keys change, down to functions in defaults and checks. Every
 * name is the server's own, whatever the session calls so.
 */
function besides({ relation: { schema, name } }: PreviewTarget): string {
  const quoted = [schema, name].map((part) => `"${part.replaceAll('"', '""')}"`).join('.')
  const table = `'${quoted.replaceAll("'", "''")}'`
  return `
WITH RECURSIVE reached(id) AS (
  SELECT pg_catalog.to_regclass(${table})::pg_catalog.oid
  UNION
  SELECT step.child FROM reached JOIN (
    SELECT inhparent AS parent, inhrelid AS child FROM pg_catalog.pg_inherits
    UNION ALL
    SELECT confrelid, conrelid FROM pg_catalog.pg_constraint
     WHERE contype OPERATOR(pg_catalog.=) 'f' AND (confdeltype OPERATOR(pg_catalog.=) ANY ('{c,n,d}') OR confupdtype OPERATOR(pg_catalog.=) ANY ('{c,n,d}'))
  ) AS step ON step.parent OPERATOR(pg_catalog.=) reached.id
), volatile AS (
  SELECT d.classid, d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) d.refobjid
   WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.provolatile OPERATOR(pg_catalog.=) 'v'
), along AS (
  SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass AS classid, oid AS objid FROM pg_catalog.pg_attrdef
   WHERE adrelid OPERATOR(pg_catalog.=) ANY (SELECT id FROM reached)
  UNION ALL
  SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, oid FROM pg_catalog.pg_policy WHERE polrelid OPERATOR(pg_catalog.=) ANY (SELECT id FROM reached)
  UNION ALL
  SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid FROM pg_catalog.pg_constraint
   WHERE conrelid OPERATOR(pg_catalog.=) ANY (SELECT id FROM reached)
      OR contypid OPERATOR(pg_catalog.=) ANY (SELECT atttypid FROM pg_catalog.pg_attribute WHERE attrelid OPERATOR(pg_catalog.=) ANY (SELECT id FROM reached))
)
SELECT CASE
  WHEN EXISTS (SELECT 1 FROM reached LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) reached.id
                WHERE c.relkind IS NULL OR NOT c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'))
  THEN 'it writes what is no table of this database'
  WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_trigger
                WHERE tgrelid OPERATOR(pg_catalog.=) ANY (SELECT id FROM reached) AND NOT tgisinternal AND NOT tgenabled OPERATOR(pg_catalog.=) 'D')
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_rewrite WHERE ev_class OPERATOR(pg_catalog.=) ANY (SELECT id FROM reached))
  THEN '${TRIGGERS}'
  WHEN EXISTS (SELECT 1 FROM along JOIN volatile
                 ON along.classid OPERATOR(pg_catalog.=) volatile.classid AND along.objid OPERATOR(pg_catalog.=) volatile.objid)
  THEN 'defaults, checks or policies of its table call functions whose effects might not be rolled back'
  ELSE '' END`
}
