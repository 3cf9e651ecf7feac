/**
 * What decisions stand on, per principal and connection: the policy's view and the schema snapshot.
 * Views are shared between sessions of equal principals; both halves are replaced when they move on.
 */
import { type Policy, type PrincipalView, type Subject, viewFor } from '@sallyport/policy'
import { type Catalog, type ColumnRef, type Defined, EFFECTS } from '@sallyport/sql'
import type { CatalogStore } from '../catalog/store.ts'

const VIEWS_MAX = 1024

/** What a session's decisions stand on; `view` and `catalog` may be replaced while it lives. */
export interface Ground {
  readonly view: PrincipalView
  readonly viewId: number
  /** null where policy does not depend on the schema. */
  readonly catalog: Catalog | null
}

export class Views {
  readonly #views = new Map<string, { view: PrincipalView; id: number; catalog: Catalog | null }>()
  #lastId = 0

  of(
    policy: Policy,
    subject: Subject,
    connection: string,
    catalog: Catalog | null,
  ): { view: PrincipalView; id: number } {
    const key = JSON.stringify([policy.version, connection, catalog?.version ?? 0, subject])
    const known = this.#views.get(key)
    // Two databases of a connection, or one read anew after a reload, number their snapshots alike.
    if (known !== undefined && known.catalog === catalog) return known
    const view = viewFor(
      policy,
      subject,
      connection,
      catalog === null ? {} : { basesOf: (column) => parentsOf(catalog, column) },
    )
    if (this.#views.size >= VIEWS_MAX) this.#views.clear()
    const made = { view, id: ++this.#lastId, catalog }
    this.#views.set(key, made)
    return made
  }
}

/**
 * Does any decision of this view need to know which relation a name means, or what columns it has? Not when
 * nothing is masked for anybody, nothing denies or holds by name, and one rule allows everything there is to name
 * (text that is not understood has no names).
 */
export function needsCatalog(view: PrincipalView): boolean {
  // Masks for others count: the record must know which texts may hold protected values.
  if (view.protects) return true
  // A preview names the columns of what would be written.
  if (view.rules.some((rule) => rule.kind === 'approve' && rule.approvers.preview !== null))
    return true
  const byName = view.rules.filter(
    ({ match }) => match.relations !== null || match.columns !== null || match.functions !== null,
  )
  if (byName.length === 0) return false
  return byName.some((rule) => rule.kind !== 'allow') || !view.rules.some(allowsEverything)
}

function allowsEverything({ kind, match }: PrincipalView['rules'][number]): boolean {
  const { effects, relations, functions, settings, columns, commands, when } = match
  return (
    kind === 'allow' &&
    when === null &&
    commands === null &&
    columns === null &&
    (effects === null || EFFECTS.every((effect) => effect === 'unknown' || effects.has(effect))) &&
    (relations === null ||
      relations.some((one) => one.kind === 'name' && one.schema.any && one.name.any)) &&
    (functions === null || functions.some((one) => one.schema === null && one.name.any)) &&
    (settings === null || settings.some((one) => one.any))
  )
}

/** The present ground of one session; cheap while nothing has moved. */
export class SessionGround {
  readonly #views: Views
  readonly #policy: () => Policy
  readonly #subject: Subject
  readonly #connection: string
  readonly #catalogs: () => CatalogStore
  #ground: (Ground & { readonly policy: Policy }) | null = null
  #refreshing: Promise<void> | null = null
  /** The snapshot could not be taken anew since this session changed the schema. */
  #behind = false
  #failedAt = -Infinity

  constructor(options: {
    views: Views
    policy: () => Policy
    subject: Subject
    connection: string
    catalogs: () => CatalogStore
  }) {
    this.#views = options.views
    this.#policy = options.policy
    this.#subject = options.subject
    this.#connection = options.connection
    this.#catalogs = options.catalogs
  }

  /** The policy's view alone, for decisions before the session starts. */
  view(): PrincipalView {
    return this.#views.of(this.#policy(), this.#subject, this.#connection, null).view
  }

  readonly now = (): Ground | 'wait' | 'unavailable' => {
    const policy = this.#policy()
    const before = this.#ground?.policy === policy ? this.#ground : null
    if (before?.catalog === null) return before
    // A ground with a catalog needed one under this policy, and still does: no look-up of the view.
    if (before === null) {
      const bare = this.#views.of(policy, this.#subject, this.#connection, null)
      if (!needsCatalog(bare.view)) return this.#stand(policy, bare, null)
    }
    if (this.#refreshing !== null) return 'wait'
    const catalog = this.#behind ? null : this.#catalogs().get()
    if (catalog === null) return performance.now() - this.#failedAt < 1000 ? 'unavailable' : 'wait'
    if (before?.catalog === catalog) return before
    const view = this.#views.of(policy, this.#subject, this.#connection, catalog)
    return this.#stand(policy, view, catalog)
  }

  /** Resolves when `now` has something other than `wait` to say. */
  readonly prepare = async (): Promise<void> => {
    if (this.#refreshing !== null) return this.#refreshing
    try {
      await (this.#behind ? this.#catalogs().refresh('ddl') : this.#catalogs().ensure())
      this.#behind = false
    } catch {
      this.#failedAt = performance.now()
    }
  }

  /**
   * Are these views of the ground's catalog still defined as it says? Where not, resolves when a newer
   * snapshot is there. Throws CatalogError.
   */
  readonly confirm = async (views: readonly Defined[]): Promise<boolean> => {
    const catalogs = this.#catalogs()
    if (await catalogs.unchanged(views)) return true
    await catalogs.refresh('metadata')
    return false
  }

  /** The schema may have changed: decisions of this session wait for a snapshot taken from now on. */
  readonly doubt = (ddl: boolean): void => {
    if (this.#ground?.catalog === null) return
    const refresh = this.#catalogs().refresh(ddl ? 'ddl' : 'metadata')
    if (!ddl) return void refresh.catch(() => undefined)
    const failed = (): void => {
      this.#behind = true
      this.#failedAt = performance.now()
    }
    // INVARIANT: only the last one ends the waiting; what began before it may not know the last change.
    const refreshing = refresh
      .then(() => undefined, failed)
      .then(() => {
        if (this.#refreshing === refreshing) this.#refreshing = null
      })
    this.#refreshing = refreshing
  }

  #stand(
    policy: Policy,
    made: { view: PrincipalView; id: number },
    catalog: Catalog | null,
  ): Ground {
    this.#ground = { policy, view: made.view, viewId: made.id, catalog }
    return this.#ground
  }
}

/** A child's column holds its parents' data: partitions and inheritance, all the way up. */
function parentsOf(catalog: Catalog, column: ColumnRef): readonly ColumnRef[] {
  const found: ColumnRef[] = []
  const queue = [`${column.schema}.${column.relation}`]
  const seen = new Set(queue)
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const dot = name.indexOf('.')
    const relation = catalog.relation(name.slice(0, dot), name.slice(dot + 1))
    for (const parent of relation?.parents ?? []) {
      if (seen.has(parent)) continue
      seen.add(parent)
      queue.push(parent)
      const at = parent.indexOf('.')
      found.push({
        schema: parent.slice(0, at),
        relation: parent.slice(at + 1),
        column: column.column,
      })
    }
  }
  return found
}
