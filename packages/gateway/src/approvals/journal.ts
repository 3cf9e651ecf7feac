/**
 * Where the events of approvals are kept: one truth, appended to and never changed. The port; for one
 * gateway local-journal.ts, for several on one PostgreSQL store postgres-journal.ts.
 */
import type { Approval, ApprovalEvent, Stamped } from './state.ts'

/**
 * What approvers read and the audit log must not hold: literals as they are, parameters. Kept until the
 * approval is over.
 */
export interface Shown {
  readonly sql: string
  /** The same tokens and comments, broken over lines; null: it cannot be read with certainty, or is too long. */
  readonly layout: string | null
  /** As text, protected ones masked; null is SQL NULL. */
  readonly parameters: readonly (string | null)[]
  /** Null: not of a statement. */
  readonly estimate: Estimated | null
  /** What it would change; null: policy does not let approvers look, or not whoever reads this. */
  readonly preview: Preview | null
}

/** What the server's planner expects of it, or why that is not known. No constant of the statement is in it. */
export type Estimated =
  | {
      readonly kind: 'estimate'
      /** Returned or changed. */
      readonly rows: number
      /** In the planner's own unit; null: this server does not say. */
      readonly cost: number | null
      /** A line for each node of the plan: its kind, relation, index and rows. */
      readonly plan: readonly string[]
    }
  | { readonly kind: 'none'; readonly why: string }

/** What it did when it was run and rolled back, or why it was not. A column that is masked for anybody shows no value. */
export type Preview =
  | {
      readonly kind: 'preview'
      /** Rows of the table it names. */
      readonly affected: number
      readonly columns: readonly string[]
      /** A few of them. */
      readonly rows: readonly PreviewRow[]
    }
  | { readonly kind: 'none'; readonly why: string }

/** Cells as text, cut; null is SQL NULL. */
export interface PreviewRow {
  /** Null: there was none, or the server does not tell. */
  readonly before: readonly (string | null)[] | null
  /** Null: there is none any more, or the server does not tell. */
  readonly after: readonly (string | null)[] | null
}

export interface ApprovalJournal {
  /**
   * Appends when the approval has exactly `after` events, else answers false and changes nothing. When it
   * answers true the event is in the audit chain and survives a crash. `shown`: with the first event.
   */
  append(stamped: Stamped<ApprovalEvent>, after: number, shown: Shown | null): Promise<boolean>
  events(approval: string): Promise<readonly Stamped[]>
  shown(approval: string): Promise<Shown | null>
  /** Every approval that is not over, and the latest that are. */
  list(): Promise<readonly Approval[]>
  /** Every one listed that is bound to this, newest first. */
  bound(binding: string): Promise<readonly Approval[]>
  /** Ids of those nobody waits for any more, because the gateway that asked is gone. */
  orphans(): Promise<readonly string[]>
  /** Calls back with the id of every approval that has a new event, wherever it was appended. */
  subscribe(listener: (approval: string) => void): () => void
  close(): Promise<void>
}
