/** Flags of the policy commands, as commander hands them over. */

export interface CheckFlags {
  readonly config?: string
  readonly json?: boolean
}

export interface ExplainFlags {
  readonly policy?: readonly string[]
  readonly config?: string
  readonly catalog?: string
  readonly connection?: string
  readonly as?: string
  readonly group?: readonly string[]
  readonly role?: string
  readonly kind?: string
  readonly graph?: string
  readonly node?: string
  readonly run?: string
  readonly claim?: readonly string[]
  readonly tokenFile?: string
  readonly searchPath?: string
  readonly at?: string
  readonly json?: boolean
}

export interface TestFlags {
  readonly policy?: readonly string[]
  readonly config?: string
  readonly catalog?: readonly string[]
  readonly searchPath?: string
  readonly failed?: boolean
  readonly json?: boolean
}

export interface SuggestFlags {
  readonly config: string
  readonly connection?: string
  readonly rows?: string
  readonly samples: boolean
  readonly json?: boolean
}

export interface CatalogFlags {
  readonly config: string
  readonly connection?: string
}
