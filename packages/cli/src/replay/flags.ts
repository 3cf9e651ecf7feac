/** Flags of `replay`, as commander hands them over. */
import type { FilterFlags } from '../audit/flags.ts'

export interface ReplayFlags extends FilterFlags {
  readonly csv?: boolean
  readonly asciicast?: boolean
  readonly against?: string
  readonly policy?: readonly string[]
  readonly catalog?: string
  readonly searchPath?: string
  readonly speed?: string
  readonly idle?: string
  readonly rows?: string
  readonly statement?: string
  readonly recordings?: string
  readonly keyFile?: string
}
