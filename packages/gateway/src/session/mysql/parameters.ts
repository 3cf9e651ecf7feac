/** Parameters of a COM_STMT_EXECUTE for decisions, approvals and records. Query attributes are not among them. */
import { isUtf8 } from 'node:buffer'
import type { BindParameter } from '@sallyport/policy'
import { BulkParameters, type Parameters } from '@sallyport/protocol-mysql'
import type { Decided } from '../decisions.ts'
import { recordedValue } from '../recorder.ts'

/** Parameters as approvers may read them, and as they are. */
export interface Bound {
  readonly parameters: readonly BindParameter[]
  /** Null: one is not known whole. */
  readonly exact: Buffer | null
}

export function boundOf(parameters: Parameters): Bound {
  return { parameters: readParameters(parameters), exact: exactParameters(parameters) }
}

/** As SQL would write them, in UTF-8; what type the client sent them as stays. */
export function readParameters(parameters: Parameters): BindParameter[] {
  const bound: BindParameter[] = []
  for (let i = 0; i < parameters.markers; i++) {
    const text = parameters.text(i)
    const value = text === null ? null : Buffer.from(text, 'utf8')
    bound.push({ engine: 'mysql', format: 'text', typeId: parameters.typeOf(i).type, value })
  }
  return bound
}

/**
 * What an approval is bound to: every parameter's type and bytes. Null: one came in pieces (COM_STMT_SEND_LONG_DATA)
 * and was not kept whole, so that nobody can say what it is.
 */
export function exactParameters(parameters: Parameters): Buffer | null {
  const exact: unknown[] = []
  for (let i = 0; i < parameters.markers; i++) {
    if (parameters.longData(i)?.cut === true) return null
    const { type, unsigned } = parameters.typeOf(i)
    const value = parameters.value(i)
    const bytes = value instanceof Uint8Array
    const written = bytes
      ? Buffer.from(value).toString('hex')
      : value === null
        ? null
        : String(value)
    exact.push([type, unsigned, bytes, written])
  }
  return Buffer.from(JSON.stringify(exact), 'utf8')
}

export function parameterTexts(bound: readonly BindParameter[]): (string | null)[] {
  return bound.map(({ value }) => (value === null ? null : Buffer.from(value).toString('utf8')))
}

/** As they are recorded; what is no text as `\\x` and hex. Of a batch: row after row. */
export function recordedParameters(
  decided: Decided,
  parameters: Parameters | BulkParameters,
): readonly (string | null)[] {
  if (!(parameters instanceof BulkParameters)) return recordedRow(decided, parameters)
  // The log keeps the first of a long list, and a hash of all of it.
  const recorded: (string | null)[] = []
  for (const row of parameters) for (const one of recordedRow(decided, row)) recorded.push(one)
  return recorded
}

function recordedRow(decided: Decided, parameters: Parameters): (string | null)[] {
  return Array.from({ length: parameters.markers }, (_, i) => {
    const value = parameters.value(i)
    if (value === null) return null
    const bytes = value instanceof Uint8Array ? value : Buffer.from(String(value))
    return recordedValue(decided, bytes.length, (kept) => {
      const first = Buffer.from(bytes.buffer, bytes.byteOffset, kept)
      return isUtf8(first) ? first.toString('utf8') : `\\x${first.toString('hex')}`
    })
  })
}
