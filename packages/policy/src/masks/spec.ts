/**
 * The kinds of masks and the order that decides which of two wins.
 *
 * Order, strictest first: null > redact > hash > tokenize > partial = email = regex > truncate-date = bucket >
 * json > detect. Two different masks of equal strength on one column become `redact`: neither is known to hide
 * what the other shows.
 */

export const DETECTORS = ['card', 'email', 'phone', 'iban', 'ssn', 'api-key', 'jwt'] as const
export type Detector = (typeof DETECTORS)[number]

export type DateUnit = 'year' | 'month' | 'day' | 'hour'

export type MaskSpec =
  | { readonly kind: 'null' }
  | { readonly kind: 'redact' }
  | {
      readonly kind: 'partial'
      /** Characters (code points) left readable. */
      readonly keepFirst: number
      readonly keepLast: number
      /** One code point. */
      readonly char: string
      /** Replace each hidden character by one; otherwise always three. */
      readonly sameLength: boolean
    }
  | { readonly kind: 'email' }
  | {
      readonly kind: 'hash'
      /** Columns of one domain hash alike; `column` salts with the column's own name. */
      readonly domain: string
      readonly salt: 'none' | 'column'
    }
  | { readonly kind: 'tokenize'; readonly domain: string; readonly salt: 'none' | 'column' }
  | { readonly kind: 'truncate-date'; readonly unit: DateUnit }
  | { readonly kind: 'bucket'; readonly width: number }
  | { readonly kind: 'json'; readonly paths: readonly string[]; readonly mask: MaskSpec }
  | {
      readonly kind: 'regex'
      readonly pattern: string
      readonly replacement: string
      readonly flags: string
      /** What a cell becomes in which the pattern is not found. */
      readonly otherwise: 'redact' | 'keep'
    }
  | { readonly kind: 'detect'; readonly detectors: readonly Detector[] }

export const MASK_KINDS = [
  'null',
  'redact',
  'hash',
  'tokenize',
  'partial',
  'email',
  'regex',
  'truncate-date',
  'bucket',
  'json',
  'detect',
] as const satisfies readonly MaskSpec['kind'][]

const STRENGTH: Readonly<Record<MaskSpec['kind'], number>> = {
  null: 100,
  redact: 90,
  hash: 80,
  tokenize: 70,
  partial: 50,
  email: 50,
  regex: 50,
  'truncate-date': 40,
  bucket: 40,
  json: 20,
  detect: 10,
}

export function strengthOf(spec: MaskSpec): number {
  return STRENGTH[spec.kind]
}

export const REDACT: MaskSpec = { kind: 'redact' }

/** The one that reveals less. */
export function stricterSpec(a: MaskSpec, b: MaskSpec): MaskSpec {
  const difference = strengthOf(a) - strengthOf(b)
  if (difference !== 0) return difference > 0 ? a : b
  return JSON.stringify(a) === JSON.stringify(b) ? a : REDACT
}
