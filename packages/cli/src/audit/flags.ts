/** Flags of the audit commands, as commander hands them over. */

export interface ReadingFlags {
  readonly config?: string
  readonly dir?: string
  readonly json?: boolean
}

export interface TailFlags extends ReadingFlags {
  readonly lines?: string
  readonly follow?: boolean
}

export type ShowFlags = ReadingFlags

export interface SearchFlags extends ReadingFlags {
  readonly subject?: string
  readonly connection?: string
  readonly session?: string
  readonly verdict?: string
  readonly rule?: string
  readonly relation?: string
  readonly type?: string
  readonly about?: string
  readonly since?: string
  readonly until?: string
  readonly limit?: string
  readonly before?: string
}

export interface SessionsFlags extends ReadingFlags {
  readonly subject?: string
  readonly connection?: string
  readonly since?: string
  readonly until?: string
  readonly live?: boolean
  readonly limit?: string
}

export interface VerifyFlags {
  readonly publicKey: readonly string[]
  readonly heads?: readonly string[]
  readonly live?: boolean
  readonly json?: boolean
}
