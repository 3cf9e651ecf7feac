/** The parameters of a Bind message, as policy looks at them. */
import type { BindParameter } from '@sallyport/policy'

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
