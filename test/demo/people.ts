/** Who the demo's issuer knows, which role each takes, and which database account stands behind it. */
import type { IssuerUser } from '../support/issuer.ts'
import type { DEMO_ROLES } from './data/load.ts'
import type { ShopAccount } from './shop.ts'

export const AUDIENCE = 'sallyport'
/** What clients give as database name. */
export const CONNECTION = 'crm'

export const ROLE_NAMES = ['analyst', 'agent', 'dba'] as const
export type RoleName = (typeof ROLE_NAMES)[number]

export interface DemoRole {
  readonly user: IssuerUser
  /** The group that may take the role. */
  readonly group: string
  /** The account the gateway uses upstream for this role: least privilege a second time. */
  readonly account: keyof typeof DEMO_ROLES
  /** The same, in the shop. */
  readonly shopAccount: ShopAccount
  /** For the guide. */
  readonly about: string
}

export const ROLES: Readonly<Record<RoleName, DemoRole>> = {
  analyst: {
    user: { sub: 'ada', groups: ['analysts', 'support-leads'], kind: 'human' },
    group: 'analysts',
    account: 'app_reader',
    shopAccount: 'shop_reader',
    about:
      'Ada, an analyst: reads, with personal data masked; leads support, so she approves order changes',
  },
  agent: {
    user: {
      sub: 'support-agent',
      groups: ['support-agents'],
      kind: 'machine',
      claims: { graph: 'support', node: 'triage' },
    },
    group: 'support-agents',
    account: 'app_writer',
    shopAccount: 'shop_writer',
    about: 'the agent of graph `support`: works on tickets, sees tokens in place of values',
  },
  dba: {
    user: { sub: 'dora', groups: ['dba'], kind: 'human' },
    group: 'dba',
    account: 'app_admin',
    shopAccount: 'shop_admin',
    about: 'Dora, a DBA: sees values, needs a second DBA for structure',
  },
}

/** Signs in (no file of tokens is kept for her), reads, and may ask for the role below. */
export const SUPPORTER: IssuerUser = { sub: 'sue', groups: ['support'], kind: 'human' }

/** A role that nobody has of their own: it is granted for a time. */
export const WRITER = {
  name: 'writer',
  group: 'writers',
  account: 'app_writer',
  shopAccount: 'shop_writer',
} as const

/** Has a valid token of the same issuer, and no rule for this connection. */
export const STRANGER: IssuerUser = { sub: 'eve', groups: ['marketing'], kind: 'human' }

/** Everybody the issuer knows. */
export const USERS: readonly IssuerUser[] = [
  ...ROLE_NAMES.map((name) => ROLES[name].user),
  SUPPORTER,
  STRANGER,
]

export function isRoleName(name: string): name is RoleName {
  return (ROLE_NAMES as readonly string[]).includes(name)
}
