/** The parameters of a Bind message, as policy looks at them and as they are recorded. */
import type { BindParameter } from '@sallyport/policy'
import type { Decided } from '../decisions.ts'
import { recordedValue } from '../recorder.ts'

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

/** Bound values as they are recorded: text as it is, binary ones as `\\x` and hex. */
export function recordedParameters(
  decided: Decided,
  buf: Buffer,
  start: number,
  end: number,
): readonly (string | null)[] {
  return readBindParameters(buf, start, end).map(({ format, value }) =>
    recordedValue(decided, value, (bytes) =>
      format === 'text' ? bytes.toString('utf8') : `\\x${bytes.toString('hex')}`,
    ),
  )
}
