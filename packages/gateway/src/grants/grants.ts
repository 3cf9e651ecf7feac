/**
 * Roles for a time: asked for, approved by people like a statement, begun by themselves when approved, over
 * by time or when somebody ends them. A grant is an approval whose use is its beginning; there is no other
 * state. Named responders may take one at once by breaking glass, to be reviewed afterwards.
 */
import { createHash } from 'node:crypto'
import type { Principal } from '@sallyport/identity'
import { grantsFor, type Policy, type Subject } from '@sallyport/policy'
import type { Approvals } from '../approvals/approvals.ts'
import { ApprovalError } from '../approvals/errors.ts'
import { WORDS_CHARS_MAX } from '../approvals/limits.ts'
import { type Approval, heldUntil } from '../approvals/state.ts'
import { GrantBook, type GrantStanding } from './book.ts'

/** What a refused statement asks for, ms; less where policy gives less. */
const ASKED_MS = 15 * 60_000

/** What a grant is of. */
export interface GrantScope {
  readonly role: string
  readonly connection: string
  /** Only for sessions whose token is verified to be of these. */
  readonly graph?: string
  readonly node?: string
  readonly run?: string
}

export interface GrantWanted extends GrantScope {
  readonly forMs: number
  readonly reason: string
  readonly breakGlass: boolean
}

/** Why a statement was refused that the role would allow. */
export interface RefusedStatement {
  readonly sql: string
  readonly reason: string
}

/** How somebody comes by a role. */
export type RoleOffer =
  | GrantStanding
  /** It may be asked for, for at most so long. */
  | { readonly kind: 'askable'; readonly maxMs: number }
  /** It has just been asked for. */
  | { readonly kind: 'asked'; readonly id: string }

/** A grant that is held now. */
export interface HeldGrant {
  readonly id: string
  readonly role: string
  /** Milliseconds since 1970. */
  readonly until: number
}

export interface GrantsOptions {
  readonly approvals: Approvals
  readonly policy: () => Policy
  /** It is over before its time: its sessions end now. */
  readonly ended: (id: string) => void
  /** Glass was broken. */
  readonly alarm: (approval: Approval) => void
  readonly onError: (error: unknown) => void
}

export class Grants {
  readonly #options: GrantsOptions
  readonly #unsubscribe: () => void
  readonly #book = new GrantBook()
  /** Asked for by a refused statement, and not in the book yet: its scope → its id. */
  readonly #asking = new Map<string, string>()

  constructor(options: GrantsOptions) {
    this.#options = options
    this.#unsubscribe = options.approvals.subscribe((id) => {
      void this.#follow(id).catch(options.onError)
    })
  }

  /** Grants approved while nobody was here begin now. */
  async start(): Promise<void> {
    for (const { id } of await this.#options.approvals.list()) await this.#follow(id)
  }

  /** Roles this principal may ask for on a connection. */
  askable(principal: Principal, connection: string): readonly string[] {
    const policy = this.#options.policy()
    const subject = subjectOf(principal)
    const roles = new Set(policy.grants.map(({ role }) => role))
    return [...roles].filter((role) => grantsFor(policy, subject, { role, connection }).length > 0)
  }

  /** For a refused statement that a role would allow; asks for it where policy says so. Null: it is not to be had. */
  offer(principal: Principal, scope: GrantScope, refused: RefusedStatement): RoleOffer | null {
    const policy = this.#options.policy()
    const rules = grantsFor(policy, subjectOf(principal), scope).map(({ rule }) => rule)
    if (rules.length === 0) return null
    const known = this.#book.standing(principal, scope, this.#options.approvals.now())
    if (known !== null) return known
    const maxMs = Math.min(...rules.map((rule) => rule.maxMs))
    if (!rules.some(({ onRefusal }) => onRefusal === 'request')) return { kind: 'askable', maxMs }
    const key = JSON.stringify([principal.issuer, principal.subject, scope])
    const before = this.#asking.get(key)
    if (before !== undefined) return { kind: 'asked', id: before }
    const id = this.#options.approvals.newId()
    this.#asking.set(key, id)
    const forMs = Math.min(maxMs, ASKED_MS)
    const wanted = { ...scope, forMs, reason: refused.reason, breakGlass: false }
    void this.#ask(principal, wanted, { id, sql: refused.sql })
      .then((approval) => this.#book.note(approval))
      .catch(this.#options.onError)
      .finally(() => this.#asking.delete(key))
    return { kind: 'asked', id }
  }

  /** @throws ApprovalError not-grantable, reason-needed, too-long, and what asking throws */
  ask(principal: Principal, wanted: GrantWanted): Promise<Approval> {
    return this.#ask(principal, wanted, {})
  }

  async #ask(
    principal: Principal,
    wanted: GrantWanted,
    { id, sql = '' }: { readonly id?: string; readonly sql?: string },
  ): Promise<Approval> {
    const { role, connection, forMs, reason, breakGlass } = wanted
    const policy = this.#options.policy()
    const rules = grantsFor(policy, subjectOf(principal), { role, connection })
    const isFor = principal.narrowed.connections?.includes(connection) ?? true
    if (!isFor || rules.length === 0 || (breakGlass && !rules.some((one) => one.breakGlass))) {
      throw new ApprovalError('not-grantable', 'policy does not let you ask for this role here')
    }
    const longest = Math.min(...rules.map(({ rule }) => rule.maxMs))
    if (!(forMs > 0 && forMs <= longest)) {
      throw new ApprovalError('too-long', `it is granted for at most ${longest / 1000} seconds`)
    }
    const needsReason = rules.some(({ rule }) => rule.approvers.reason === 'required')
    if ((needsReason || breakGlass) && reason.trim() === '') {
      throw new ApprovalError('reason-needed', 'say why')
    }
    const approvers = rules.map(({ rule }) => rule.approvers)
    const binding = bindingOf(principal, wanted, policy.version)
    const { graph, node, run } = wanted
    const approval = await this.#options.approvals.ask(
      {
        what: 'grant',
        mode: 'return',
        session: '',
        statement: 0,
        subject: principal.subject,
        issuer: principal.issuer,
        connection,
        database: '',
        role,
        ...(graph !== undefined && { graph }),
        ...(node !== undefined && { node }),
        ...(run !== undefined && { run }),
        rule: `grant ${role}`,
        binding,
        approvers: approvers.map(({ groups, subjects, count, ticket }) => ({
          groups,
          subjects,
          count,
          ticket,
        })),
        withinMs: Math.min(...approvers.map((one) => one.withinMs)),
        useMs: Math.min(...approvers.map((one) => one.useWithinMs)),
        ...(reason !== '' && { reason: reason.slice(0, WORDS_CHARS_MAX) }),
        grant: { role, forMs, breakGlass },
      },
      { sql, layout: null, parameters: [], estimate: null, preview: null },
      id,
    )
    if (!breakGlass) return approval
    await this.#options.approvals.use(approval.id, binding)
    this.#options.alarm(approval)
    return approval
  }

  /** What this principal holds on a connection: its own, and for what its token is verified to be for. */
  async held(principal: Principal, connection: string): Promise<readonly HeldGrant[]> {
    const all = await this.#options.approvals.list()
    return all.flatMap((approval): HeldGrant[] => {
      const { id, request, status } = approval
      const until = heldUntil(approval, status)
      if (until === null || request.connection !== connection) return []
      if (request.subject !== principal.subject || request.issuer !== principal.issuer) return []
      const isInScope = (['graph', 'node', 'run'] as const).every(
        (key) => request[key] === undefined || request[key] === principal[key],
      )
      return isInScope ? [{ id, role: request.role, until }] : []
    })
  }

  close(): void {
    this.#unsubscribe()
  }

  async #follow(id: string): Promise<void> {
    const { approvals, ended } = this.#options
    const approval = await approvals.get(id)
    if (approval?.request.what !== 'grant') return
    this.#book.note(approval)
    if (approval.status.kind === 'ended') ended(id)
    if (approval.status.kind !== 'approved') return
    try {
      await approvals.use(id, approval.request.binding)
    } catch (error) {
      // Another gateway has begun it, or somebody denied it in this moment.
      if (!(error instanceof ApprovalError)) throw error
    }
  }
}

/** Taking no role: what the principal may ask for does not depend on the one it has taken. */
function subjectOf(principal: Principal): Subject {
  const { subject, kind, groups, allGroups, roles, graph, node, run, claims } = principal
  return { subject, kind, groups, allGroups, allRoles: roles, role: null, graph, node, run, claims }
}

function bindingOf(principal: Principal, wanted: GrantWanted, policyVersion: string): string {
  const { role, connection, forMs, graph, node, run, breakGlass } = wanted
  const bound = [principal.issuer, principal.subject, role, connection, forMs, graph, node, run]
  return createHash('sha256')
    .update(JSON.stringify(['sallyport-grant-v1', ...bound, breakGlass, policyVersion]))
    .digest('hex')
}
