/** What the control API answers, as JSON. Times are ISO 8601 in UTC. Types only. */

export interface ApprovalView {
  readonly id: string
  readonly what: 'statement' | 'result' | 'grant'
  readonly mode: 'hold' | 'return'
  readonly status: 'pending' | 'approved' | 'denied' | 'used' | 'expired' | 'cancelled' | 'ended'
  readonly requestedAt: string
  readonly decideBy: string
  /** Approved: it may be used until then. */
  readonly usableUntil: string | null
  readonly requester: {
    readonly subject: string
    readonly issuer: string
    readonly role: string | null
    /** Verified, never merely asserted. */
    readonly graph: string | null
    readonly node: string | null
    readonly run: string | null
  }
  readonly connection: string
  readonly database: string
  readonly session: string | null
  /** Number of the statement's record in the trail. */
  readonly record: number | null
  readonly rule: string
  readonly reason: string | null
  readonly approvers: readonly {
    readonly groups: readonly string[]
    readonly subjects: readonly string[]
    readonly count: number
    readonly missing: number
    readonly ticket: string | null
  }[]
  readonly decisions: readonly {
    readonly at: string
    readonly by: string
    readonly decision: 'approve' | 'deny'
    readonly reason: string
    readonly ticket: string | null
  }[]
  /** Of a request for a role: how long it is held once it is given; `breakGlass`: it was taken, to be reviewed. */
  readonly grant: { readonly seconds: number; readonly breakGlass: boolean } | null
  /** Why it ended, where somebody said so. */
  readonly ended: string | null
  /** The caller may decide it. */
  readonly mayDecide: boolean
  /** And has not done so: who has may still deny. */
  readonly mayApprove: boolean
  /** To the requester and approvers, while it is not over. */
  readonly shown: ShownView | null
}

export interface ShownView {
  /** As it came. */
  readonly sql: string
  /** The same, broken over lines: other white space, nothing else. Null: see `sql`. */
  readonly layout: string | null
  readonly parameters: readonly (string | null)[]
  /** What the database's planner expects; `none`: why that is not known. Null: not of a statement. */
  readonly estimate:
    | {
        readonly kind: 'estimate'
        readonly rows: number
        readonly cost: number | null
        readonly plan: readonly string[]
      }
    | { readonly kind: 'none'; readonly why: string }
    | null
  /** What it did when it was run and rolled back; `none`: why it was not. Null: policy shows none, or not to the caller. */
  readonly preview:
    | {
        readonly kind: 'preview'
        readonly affected: number
        readonly columns: readonly string[]
        readonly rows: readonly {
          readonly before: readonly (string | null)[] | null
          readonly after: readonly (string | null)[] | null
        }[]
      }
    | { readonly kind: 'none'; readonly why: string }
    | null
}

export interface SessionView {
  readonly id: string
  /** Where it is, as `store.gateway` calls it; null: no store is shared. */
  readonly gateway: string | null
  readonly subject: string
  readonly issuer: string
  readonly kind: 'human' | 'machine'
  readonly role: string | null
  readonly graph: string | null
  readonly node: string | null
  readonly run: string | null
  readonly connection: string
  readonly database: string
  readonly startedAt: string
  readonly activeAt: string
  readonly expiresAt: string
  readonly state: 'idle' | 'running' | 'in-transaction' | 'waiting-for-approval'
}

export interface SessionsView {
  /** Of all gateways that share the store. */
  readonly sessions: readonly SessionView[]
  /** Gateways that live and have not said which they have. */
  readonly unanswered: number
}

/** What happens in a session that is watched. */
export type WatchedView =
  | {
      readonly event: 'statement'
      readonly at: string
      /** Number of its record in the trail. */
      readonly statement: number
      readonly via: string
      /** As it is recorded: without literals where they may be of masked columns. */
      readonly sql: string
      readonly verdict: 'allow' | 'deny' | 'approve'
      readonly rule: string | null
      readonly reason: string | null
      readonly relations: readonly { readonly access: string; readonly name: string }[]
      /** Masked base columns, `schema.relation.column`. */
      readonly masks: readonly string[]
    }
  | {
      readonly event: 'outcome'
      readonly at: string
      readonly statement: number
      readonly status: string
      readonly rows: number
      readonly bytes: number
      readonly micros: number
      readonly sqlstate: string | null
    }

export interface GrantView {
  /** That of its approval. */
  readonly id: string
  readonly status: 'pending' | 'approved' | 'held' | 'denied' | 'expired' | 'cancelled' | 'ended'
  readonly subject: string
  readonly issuer: string
  readonly role: string
  readonly connection: string
  readonly graph: string | null
  readonly node: string | null
  readonly run: string | null
  readonly reason: string | null
  readonly seconds: number
  readonly until: string | null
  readonly breakGlass: boolean
  /** Somebody has looked at it; every grant but one taken by breaking glass was approved first. */
  readonly reviewed: boolean
}

export interface ListenerView {
  readonly protocol: 'postgres' | 'mysql'
  readonly host: string
  readonly port: number
  readonly tls: boolean
}
