/**
 * Values of several types that the server makes one type of: what CASE gives, sides of a comparison, columns of a UNION.
 * A bigint beside an oid (or regclass, …) becomes one, which fails for a number that no oid can be.
 */
import type { Value } from '../../lineage/value.ts'
import type { Walk } from './walk.ts'

/** Types that a bigint becomes without being asked to. */
export const OIDS: ReadonlySet<string> = new Set(
  `oid regproc regprocedure regoper regoperator regclass regtype regrole regnamespace regconfig regdictionary
  regcollation`.split(/\s+/),
)

export function noteMixed({ draft }: Walk, values: readonly Value[]): void {
  if (!values.some(({ type }) => type !== null && OIDS.has(elementType(type)))) return
  for (const value of values) {
    const type = elementType(value.type ?? '')
    // What has no known type may be one.
    if (type === '' || type === 'int8') draft.useAll(value, 'failure')
  }
}

const elementType = (type: string): string => (type.startsWith('_') ? type.slice(1) : type)
