/** The parameters of a Bind message, as policy looks at them and as they are recorded. */
import type { BindParameter } from '@sallyport/policy'
import type { Decided } from '../decisions.ts'
import { recordedValue } from '../recorder.ts'

/** Parameters of a Bind body (after both names) [start, end), which the relay has found well-formed. */
export function readBindParameters(buf: Buffer, start: number, end: number): BindParameter[] {
  const parameters: BindParameter[] = []
  eachParameter(buf, start, end, (format, at, length) => {
    const value = length < 0 ? null : buf.subarray(at, at + length)
    parameters.push({ format, value, typeId: 0 })
  })
  return parameters
}

/** Calls with each parameter's format, place and length; a negative length: NULL. */
function eachParameter(
  buf: Buffer,
  start: number,
  end: number,
  take: (format: 'text' | 'binary', at: number, length: number) => void,
): void {
  const formatCount = buf.readUInt16BE(start)
  const formatAt = (i: number): number =>
    formatCount === 0 ? 0 : buf.readUInt16BE(start + 2 + (formatCount === 1 ? 0 : i) * 2)
  let at = start + 2 + formatCount * 2
  const count = buf.readUInt16BE(at)
  at += 2
  for (let i = 0; i < count && at + 4 <= end; i++) {
    const length = buf.readInt32BE(at)
    at += 4
    take(formatAt(i) === 1 ? 'binary' : 'text', at, length)
    at += Math.max(length, 0)
  }
}

/** Bound values as they are recorded: text as it is, binary ones as `\\x` and hex. */
export function recordedParameters(
  decided: Decided,
  buf: Buffer,
  start: number,
  end: number,
): readonly (string | null)[] {
  const recorded: (string | null)[] = []
  // Not cut out first: this runs for every statement.
  eachParameter(buf, start, end, (format, at, length) => {
    const text = (bytes: number): string =>
      format === 'text'
        ? buf.toString('utf8', at, at + bytes)
        : `\\x${buf.toString('hex', at, at + bytes)}`
    recorded.push(length < 0 ? null : recordedValue(decided, length, text))
  })
  return recorded
}
