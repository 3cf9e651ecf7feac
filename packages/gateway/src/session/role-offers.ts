/**
 * What a refused client is told about roles: one of its own that would allow the statement, or one it may ask
 * for, and how. Only a hint: nothing is decided here.
 */
import type { Principal } from '@sallyport/identity'
import { type Deny, decide, type Policy, type Subject } from '@sallyport/policy'
import type { Catalog } from '@sallyport/sql'
import type { GrantScope, Grants, RoleOffer } from '../grants/grants.ts'
import { commentTags } from './comment-tags.ts'
import type { Decided } from './decisions.ts'
import type { Views } from './grounds.ts'

/** What the line to paste asks for, seconds; less where policy gives less. */
const ASKED_SECONDS = 15 * 60

export interface RoleOffersOptions {
  readonly principal: Principal
  /** As the session is. */
  readonly subject: Subject
  readonly connection: string
  readonly policy: () => Policy
  readonly views: Views
  readonly grants: Grants
  /** Groups of each role of the configuration. */
  readonly roles: () => Readonly<Record<string, { readonly groups?: readonly string[] }>>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export class RoleOffers {
  readonly #options: RoleOffersOptions
  /** By decision, which is of one policy and one principal. */
  readonly #known = new WeakMap<Decided, string | null>()

  constructor(options: RoleOffersOptions) {
    this.#options = options
  }

  /** To be read after the refusal's own hint; '': no role would help. */
  hintFor(decided: Decided, verdict: Deny, catalog: Catalog | null, text: string): string {
    if (decided.analysis.kind === 'unparsable') return ''
    let role = this.#known.get(decided)
    if (role === undefined) {
      role = this.#roleFor(decided, catalog)
      this.#known.set(decided, role)
    }
    if (role === null) return ''
    const { principal, connection, grants } = this.#options
    if (principal.roles.includes(role)) {
      return `Your role ${quoted(role)} would allow it: connect with it as the user name.`
    }
    const { graph, node, run } = principal
    const scope: GrantScope = {
      role,
      connection,
      ...(graph !== null && { graph }),
      ...(node !== null && { node }),
      ...(run !== null && { run }),
    }
    const reason = commentTags(text).get('reason') ?? `refused without it: ${verdict.message}`
    const offer = grants.offer(principal, scope, { sql: text, reason })
    return offer === null ? '' : words(role, scope, offer)
  }

  /** A role under which the statement would run, or be held for approval. */
  #roleFor({ analysis }: Decided, catalog: Catalog | null): string | null {
    const { principal, subject, connection, policy, views, grants, now } = this.#options
    const { narrowed, roles: own } = principal
    const isOpen = (role: string): boolean =>
      role !== subject.role && (narrowed.roles === null || narrowed.roles.includes(role))
    const roles = this.#options.roles()
    const candidates = [...own, ...grants.askable(principal, connection)].filter(
      (role) => isOpen(role) && Object.hasOwn(roles, role),
    )
    for (const role of new Set(candidates)) {
      const groups = roles[role]?.groups ?? []
      const { view } = views.of(
        policy(),
        inRole(subject, role, own.includes(role), groups),
        connection,
        catalog,
      )
      if (decide(view, analysis, { now: now() }).kind !== 'deny') return role
    }
    return null
  }
}

/** As whoever logs in with it would be; see admission.ts. */
function inRole(subject: Subject, role: string, isOwn: boolean, of: readonly string[]): Subject {
  const groups = isOwn
    ? of.filter((group) => (subject.allGroups ?? subject.groups).includes(group))
    : of
  return {
    ...subject,
    role,
    groups,
    allGroups: [...new Set([...(subject.allGroups ?? subject.groups), ...groups])],
    allRoles: [...new Set([...(subject.allRoles ?? []), role])],
  }
}

function words(role: string, scope: GrantScope, offer: RoleOffer): string {
  const which = `The role ${quoted(role)} would allow it`
  const then = 'then connect with it as the user name.'
  switch (offer.kind) {
    case 'held':
      return `${which}, and is granted to you: connect with it as the user name.`
    case 'asked':
      return `${which}, and has been asked for: ${offer.id}. When it is approved, ${then.slice(5)}`
    case 'pending':
      return `${which}, and waits to be granted: ${offer.id}. When it is approved, ${then.slice(5)}`
    case 'denied':
      return `${which}; asking for it was denied by ${offer.by}${offer.comment === '' ? '' : `: ${offer.comment}`}.`
    case 'askable':
      return `${which}. To ask for it: ${requestLine(scope, offer.maxMs)}; ${then}`
    default: {
      const never: never = offer
      throw new Error(`unexpected offer ${String(never)}`)
    }
  }
}

function requestLine({ role, connection, graph, node, run }: GrantScope, maxMs: number): string {
  const flags = Object.entries({ role, connection, graph, node, run }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${shellWord(value)}`],
  )
  const seconds = Math.min(ASKED_SECONDS, maxMs / 1000)
  const time = seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`
  return `sallyport request ${flags.join(' ')} --for ${time} --reason '…'`
}

function shellWord(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

const quoted = (name: string): string => `"${name}"`
