/** Flags of the audit commands, as commander hands them over. */
import type { SearchField } from '@sallyport/audit'

export interface ReadingFlags {
  readonly config?: string
  readonly dir?: string
  /** What all gateways of the store recorded, instead of what this one did. */
  readonly shared?: boolean
  readonly json?: boolean
}

export interface TailFlags extends ReadingFlags {
  readonly lines?: string
  readonly follow?: boolean
}

export interface ShowFlags extends ReadingFlags {
  readonly gateway?: string
}

/** What records and sessions are found by. */
export interface FilterFlags extends ReadingFlags, Readonly<Partial<Record<SearchField, string>>> {
  readonly verdict?: string
  readonly since?: string
  readonly until?: string
  readonly limit?: string
  readonly before?: string
}

export type SearchFlags = FilterFlags

export interface SessionsFlags extends FilterFlags {
  readonly live?: boolean
}

export interface ExportFlags extends ReadingFlags {
  readonly format?: string
  readonly to?: string
  readonly ca?: string
  readonly authorization?: string
  readonly cursor?: string
  readonly follow?: boolean
}

export interface HoldFlags extends ReadingFlags {
  readonly by: string
  readonly reason: string
  readonly lift?: boolean
  readonly subject?: string
  readonly since?: string
  readonly until?: string
}

export interface PruneFlags extends ReadingFlags {
  readonly dryRun?: boolean
}

export interface RewrapFlags {
  readonly config?: string
  readonly json?: boolean
}

export interface EraseFlags extends ReadingFlags {
  readonly by: string
  readonly reason: string
  readonly keyOnly?: boolean
}

export interface VerifyFlags {
  readonly publicKey: readonly string[]
  readonly heads?: readonly string[]
  readonly recordings?: string
  readonly proof?: string
  readonly live?: boolean
  readonly json?: boolean
}
