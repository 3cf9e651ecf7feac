/** The parameters of a Bind message, as policy looks at them and as they are recorded. */
import type { BindParameter } from '@sallyport/policy'
import type { Decided } from '../decisions.ts'

/** A recorded value may be this long, bytes; more is cut. */
const RECORDED_VALUE_BYTES_MAX = 4096
/** Stands for a value that may be of a column that is masked for somebody. */
const WITHHELD = '[withheld]'

/** Parameters of a Bind body (after both names) [start, end), which the relay has found well-formed. */
export function readBindParameters(buf: Buffer, start: number, end: number): BindParameter[] {
  const formatCount = buf.readUInt16BE(start)
  const formatAt = (i: number): number =>
    formatCount === 0 ? 0 : buf.readUInt16BE(start + 2 + (formatCount === 1 ? 0 : i) * 2)
  let at = start + 2 + formatCount * 2
  const count = buf.readUInt16BE(at)
  at += 2
  const parameters: BindParameter[] = []
  for (let i = 0; i < count && at + 4 <= end; i++) {
    const length = buf.readInt32BE(at)
    at += 4
    const value = length < 0 ? null : buf.subarray(at, at + length)
    parameters.push({ format: formatAt(i) === 1 ? 'binary' : 'text', value, typeId: 0 })
    at += Math.max(length, 0)
  }
  return parameters
}

/**
 * Bound values as text, binary ones as `\\x` and hex. A statement that touches a protected column keeps none: which of
 * its values meets that column cannot be proven.
 */
export function recordedParameters(
  decided: Decided,
  buf: Buffer,
  start: number,
  end: number,
): readonly (string | null)[] {
  return readBindParameters(buf, start, end).map(({ format, value }) => {
    if (value === null) return null
    if (decided.sensitive) return WITHHELD
    const kept = Buffer.from(value.subarray(0, RECORDED_VALUE_BYTES_MAX))
    return format === 'text' ? kept.toString('utf8') : `\\x${kept.toString('hex')}`
  })
}
