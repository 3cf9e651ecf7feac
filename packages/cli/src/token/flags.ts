/** Flags of the token commands, as commander hands them over. */

export interface NarrowingFlags {
  readonly for?: string
  readonly role?: readonly string[]
  readonly connection?: readonly string[]
  readonly graph?: string
  readonly node?: string
  readonly run?: string
}

export interface MintFlags extends NarrowingFlags {
  readonly config: string
  readonly subject?: string
  readonly group?: readonly string[]
  readonly kind?: string
  readonly label?: string
  readonly requireAudit?: boolean
  readonly json?: boolean
}

export interface ExchangeFlags extends NarrowingFlags {
  readonly url: string
  readonly ca?: string
  readonly tokenFile?: string
  readonly json?: boolean
}

export interface InspectFlags {
  readonly tokenFile?: string
  readonly config?: string
  readonly json?: boolean
}

export interface RevokeFlags {
  readonly config?: string
  readonly id?: string
  readonly subject?: string
  readonly issuer?: string
  readonly forGood?: boolean
  readonly reason?: string
  readonly url?: string
  readonly ca?: string
  readonly tokenFile?: string
  readonly json?: boolean
}

export interface ListFlags {
  readonly config: string
  readonly subject?: string
  readonly all?: boolean
  readonly limit?: string
  readonly json?: boolean
}
