/** A policy file after validation: exactly what the schema (schema.ts) admits. */

import type { DETECTORS } from './masks/spec.ts'
import type { EFFECT_WORDS } from './schema.ts'

/** The whole file. */
export interface PolicyFile {
  readonly version: 1
  readonly description?: string
  readonly connections?: readonly string[]
  readonly rules?: readonly RuleFile[]
  readonly masks?: readonly MaskFile[]
  readonly limits?: readonly LimitFile[]
  readonly grants?: readonly GrantFile[]
  readonly record?: readonly RecordFile[]
  readonly 'trusted-functions'?: readonly string[]
}

export interface RecordFile {
  readonly who: WhoFile
  readonly rows?: 'none' | 'all' | number
  readonly bytes?: number | string
  readonly parameters?: boolean
}

export type WhoFile = 'everyone' | WhoClauseFile | readonly WhoClauseFile[]

export interface WhoClauseFile {
  readonly groups?: readonly string[]
  readonly roles?: readonly string[]
  readonly subjects?: readonly string[]
  readonly kind?: 'human' | 'machine'
  readonly graph?: readonly string[]
  readonly node?: readonly string[]
  readonly except?: WhoFile
}

export interface MatchFile {
  readonly effects?: readonly (typeof EFFECT_WORDS)[number][]
  readonly relations?: readonly string[]
  readonly 'through-views'?: boolean
  readonly commands?: readonly string[]
  readonly functions?: readonly string[]
  readonly columns?: readonly string[]
  readonly settings?: readonly string[]
  readonly when?: string
  readonly 'estimated-rows'?: number
  readonly 'estimated-cost'?: number
}

export type ApprovalMode = 'hold' | 'return'

export interface RuleFile {
  readonly name: string
  readonly description?: string
  readonly who: WhoFile
  readonly allow?: MatchFile
  readonly approve?: MatchFile
  readonly deny?: MatchFile
  readonly approvers?: {
    readonly groups?: readonly string[]
    readonly subjects?: readonly string[]
    readonly count?: number
    readonly within?: string
    readonly 'use-within'?: string
    readonly ticket?: string
  }
  readonly reason?: 'required' | 'optional'
  readonly mode?: ApprovalMode
  readonly preview?: { readonly rows?: number; readonly 'in-transactions'?: boolean }
  readonly hint?: string
}

export interface KeyedFile {
  readonly domain?: string
  readonly salt?: 'none' | 'column'
}

export type MaskKindFile =
  | 'null'
  | 'redact'
  | 'email'
  | 'hash'
  | 'tokenize'
  | 'detect'
  | {
      readonly partial?: {
        readonly 'keep-first'?: number
        readonly 'keep-last'?: number
        readonly char?: string
        readonly 'same-length'?: boolean
      }
      readonly hash?: KeyedFile
      readonly tokenize?: KeyedFile
      readonly 'truncate-date'?: 'year' | 'month' | 'day' | 'hour'
      readonly bucket?: number
      readonly json?: { readonly paths: readonly string[]; readonly mask?: MaskKindFile }
      readonly regex?: {
        readonly pattern: string
        readonly replacement: string
        readonly 'ignore-case'?: boolean
        readonly otherwise?: 'redact' | 'keep'
      }
      readonly detect?: readonly (typeof DETECTORS)[number][]
    }

export interface MaskFile {
  readonly name?: string
  readonly description?: string
  readonly columns: readonly string[]
  readonly with: MaskKindFile
  readonly who?: WhoFile
  readonly except?: WhoFile
  readonly derived?: 'redact' | 'deny'
  readonly predicates?: 'equality' | 'deny' | 'open'
  readonly probes?: { readonly max: number; readonly within?: string }
  readonly groups?: { readonly min: number }
}

export interface GrantFile {
  readonly description?: string
  readonly role: string
  readonly who: WhoFile
  readonly approvers: NonNullable<RuleFile['approvers']>
  readonly max?: string
  readonly reason?: 'required' | 'optional'
  readonly 'on-refusal'?: 'hint' | 'request'
  readonly 'break-glass'?: WhoFile
}

export interface BudgetFile {
  readonly statements?: number
  readonly rows?: number
  readonly bytes?: number | string
}

export interface LimitFile {
  readonly name?: string
  readonly description?: string
  readonly who: WhoFile
  readonly rows?: number
  readonly bytes?: number | string
  readonly 'estimated-rows'?: number
  readonly 'estimated-cost'?: number
  readonly 'statements-per-minute'?: number
  readonly 'per-token'?: BudgetFile
  readonly 'per-run'?: BudgetFile
  readonly 'on-exceed'?: 'approve' | 'deny' | 'truncate'
  readonly approvers?: NonNullable<RuleFile['approvers']>
}
