/**
 * Who asks in the worlds, and which masks each sees: every identity is granted everything, so nothing but the
 * masks stands between it and the values.
 */

/** A mask by column name; `*` is every other protected column. */
interface MaskSet {
  readonly with: Readonly<Record<string, unknown>>
  readonly options?: string
}

/** How each identity sees the protected columns; `clear` sees them as they are. */
const MASK_SETS = {
  redacted: { with: { '*': 'redact' } },
  nulled: { with: { '*': 'null' } },
  // Element by element: how many there are is shown.
  hashed: { with: { '*': 'hash', nums: 'redact' } },
  partly: {
    with: {
      '*': 'redact',
      ssn: { partial: { 'keep-last': 4, 'same-length': false } },
      number: { partial: { 'keep-last': 4, 'same-length': false } },
      email: 'email',
      born: { 'truncate-date': 'year' },
      score: { bucket: 100_000_000 },
      profile: { json: { paths: ['$.phone', '$.n', '$.list'], mask: 'redact' } },
      phone: { regex: { pattern: '^.*(.{4})$', replacement: '$1' } },
    },
  },
  strict: { with: { '*': 'redact' }, options: 'derived: deny, predicates: deny' },
} as const satisfies Record<string, MaskSet>

export type Masked = keyof typeof MASK_SETS
export type Identity = Masked | 'clear'
export const MASKED = Object.keys(MASK_SETS) as readonly Masked[]

/** A protected column as policy names it, and the column whose mask it has. */
export type ProtectedPath = readonly [path: string, like: string]

export function policyOver(columns: readonly ProtectedPath[]): string {
  const masks = MASKED.flatMap((group) => {
    const { with: specs, options }: MaskSet = MASK_SETS[group]
    return columns.map(([path, like]) => {
      const spec = JSON.stringify(specs[like] ?? specs['*'])
      return `  - { columns: ['${path}'], with: ${spec}, who: { groups: [${group}] }${options === undefined ? '' : `, ${options}`} }`
    })
  })
  return `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*', '@catalog-data'], functions: ['*'], settings: ['*'] } }
masks:
${masks.join('\n')}
`
}
