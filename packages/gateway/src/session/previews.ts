/**
 * What may be run and rolled back so that approvers see what it would do, and which values they see: alike on both
 * protocols. Nothing is tried whose effects could stay when it is rolled back.
 */
import type { PreviewAllowed, PrincipalView } from '@sallyport/policy'
import {
  type Catalog,
  type CatalogRelation,
  type ColumnRef,
  columnRef,
  type Lineage,
  type StatementFacts,
} from '@sallyport/sql'
import type { Estimated, Preview } from '../approvals/journal.ts'
import type { None } from './beforehand.ts'

/** Longest that it may run, ms; the locks it takes are given back then. */
export const PREVIEW_MS_MAX = 2_000
/** Longest that it may wait for a lock of somebody else's, ms. */
export const PREVIEW_LOCK_MS_MAX = 500

const CHANGING = /^(insert|update|delete|merge|replace)$/

/** What is to be tried, and for whom. */
export interface Tried {
  readonly facts: readonly StatementFacts[]
  readonly view: PrincipalView
  readonly catalog: Catalog | null
}

/** What of a preview is asked for, for a statement that waits for people. */
export interface PreviewRequest {
  /** Changed rows to be shown, and whether locks may stay until a transaction ends. */
  readonly allowed: PreviewAllowed
  readonly estimate: Estimated
  /** Records that it is about to be run; false: it cannot be, so it is not run. */
  readonly record: () => boolean
  /** Exactly this has been asked for before, and the answer still stands. */
  readonly askedBefore: () => Promise<boolean>
}

export const none = (why: string): None => ({ kind: 'none', why })

/** What has been asked for before is not tried again. */
export function unlessAskedBefore(
  { askedBefore }: PreviewRequest,
  answered: (preview: None) => void,
  tryOut: () => void,
): void {
  void askedBefore().then(
    (before) => {
      if (before) answered(none('it has been asked for before'))
      else tryOut()
    },
    () => answered(none('approvals cannot be read')),
  )
}

export interface PreviewTarget {
  readonly relation: CatalogRelation
  readonly columns: readonly { readonly name: string; readonly shown: boolean }[]
}

/** The one table that it writes, or why it may not be tried. */
export function previewTarget({ facts, view, catalog }: Tried): PreviewTarget | string {
  const [one, ...more] = facts
  if (one === undefined || more.length > 0) return 'it is not one statement'
  if (!CHANGING.test(one.command)) return 'it is no INSERT, UPDATE, DELETE or MERGE'
  if (!one.effects.every((effect) => effect === 'read' || effect === 'write')) {
    return 'it does more than read and write rows'
  }
  const opaque = one.functions.find(
    (use) => use.purity === 'opaque' && use.known !== true && !view.trusts(use),
  )
  if (opaque !== undefined) {
    return `it calls ${opaque.name}, whose effects might not be rolled back`
  }
  const written = one.relations.filter(({ access }) => access === 'write')
  const [target] = written
  if (target === undefined || written.length > 1) return 'it writes more than one table'
  if (target.kind !== 'table' || target.schema === null) return 'what it writes is no table'
  const relation = catalog?.relation(target.schema, target.name)
  if (catalog === null || relation === undefined) return 'its table is not known'
  if (relation.triggers || relation.rules) return TRIGGERS
  return { relation, columns: columnsOf(one, relation, { view, catalog }) }
}

export const TRIGGERS = 'triggers or rules of its table might do what is not rolled back'

/** Nobody sees by a preview what a mask hides from anybody: not from a column, and not where the statement copies it to. */
function columnsOf(
  { flows }: StatementFacts,
  relation: CatalogRelation,
  { view, catalog }: { readonly view: PrincipalView; readonly catalog: Catalog },
): PreviewTarget['columns'] {
  const isProtected = (column: ColumnRef): boolean => view.allMasksOn(column).length > 0
  const { schema, name } = relation
  const hidden = new Set<string>()
  for (const column of relation.columns) {
    const ref = columnRef(catalog, { schema, relation: name, column: column.name })
    if (ref === undefined || isProtected(ref)) hidden.add(column.name)
  }
  for (const { lineage, into } of flows) {
    if (view.protects && into.kind === 'column' && mayHold(lineage, isProtected)) {
      hidden.add(into.column.column)
    }
  }
  return relation.columns.map((column) => {
    const computed = column.generated !== undefined || column.default !== undefined
    const shown = !hidden.has(column.name) && !(computed && hidden.size > 0)
    return { name: column.name, shown }
  })
}

/** Values of the server's own tables may be those of any column. */
const SYSTEM = /^(pg_catalog|information_schema|performance_schema|mysql|sys)$/i

function mayHold(lineage: Lineage, isProtected: (column: ColumnRef) => boolean): boolean {
  if (lineage.kind === 'constant') return false
  if (lineage.kind === 'unknown') return true
  const sources = lineage.kind === 'direct' ? [lineage.source] : lineage.sources
  return sources.some((source) => isProtected(source) || SYSTEM.test(source.schema))
}

/** As the record of the approval has it. */
export function previewRecorded(
  preview: Preview | null,
): { readonly affected: number } | { readonly none: string } | null {
  if (preview === null) return null
  return preview.kind === 'none' ? { none: preview.why } : { affected: preview.affected }
}
