/**
 * What an approval is bound to: a digest of everything that decides what a statement would do. Equal
 * digests mean the same bytes, with the same parameters, understood the same way, for the same principal
 * in the same role, on the same database, under the same policy.
 */
import { createHash } from 'node:crypto'

export interface Bound {
  readonly engine: 'postgres' | 'mysql'
  readonly issuer: string
  readonly subject: string
  readonly role: string
  readonly graph: string | null
  readonly node: string | null
  readonly run: string | null
  readonly connection: string
  readonly database: string
  readonly policyVersion: string
  /** The statement as it came, byte for byte. */
  readonly statement: Uint8Array
  /** The parameters as they came, formats and values; null where there are none. */
  readonly parameters: Uint8Array | null
  /** Session state that changes what it means, `name=value`; and the facts the gateway read in it. */
  readonly state: readonly string[]
}

/** SHA-256, hex. Fields are length-prefixed, so no two different ones give the same bytes. */
export function bindingOf(bound: Bound): string {
  const hash = createHash('sha256')
  const field = (value: Uint8Array | string | null): void => {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
    const head = Buffer.alloc(9)
    head[0] = bytes === null ? 0 : 1
    head.writeBigUInt64BE(BigInt(bytes?.length ?? 0), 1)
    hash.update(head)
    if (bytes !== null) hash.update(bytes)
  }
  field('sallyport-approval-v1')
  for (const name of ['engine', 'issuer', 'subject', 'role', 'graph', 'node', 'run'] as const) {
    field(bound[name])
  }
  field(bound.connection)
  field(bound.database)
  field(bound.policyVersion)
  field(bound.statement)
  field(bound.parameters)
  field(String(bound.state.length))
  for (const one of bound.state) field(one)
  return hash.digest('hex')
}
