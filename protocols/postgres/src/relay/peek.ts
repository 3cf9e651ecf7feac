/** Reads only what the relay needs of a message, in place; bounds are the frame's. */
import { ProtocolError } from '../errors.ts'

/** Up to this length a loop finds the end of a string. */
const LOOP_BYTES_MAX = 32

/** Offset of the NUL that ends the string at `start`, before `end`. */
export function readCString(buf: Buffer, start: number, end: number): number {
  // Names are a few bytes: a loop beats the call into native code for them.
  const near = Math.min(end, start + LOOP_BYTES_MAX)
  let at = start
  while (at < near && buf[at] !== 0) at++
  if (at === near) at = at < end ? buf.indexOf(0, at) : -1
  if (at < 0 || at >= end) throw new ProtocolError('malformed', 'remote', 'string without its NUL')
  return at
}

function bindInt16(buf: Buffer, at: number, end: number): number {
  if (at + 2 > end) throw cutShort()
  return buf.readUInt16BE(at)
}

/** Where the parameters of a Bind body (after both names) end, and its result formats begin. */
export function bindParametersEnd(buf: Buffer, start: number, end: number): number {
  let at = start + 2 + bindInt16(buf, start, end) * 2
  const parameters = bindInt16(buf, at, end)
  at += 2
  for (let i = 0; i < parameters; i++) {
    if (at + 4 > end) throw cutShort()
    const length = buf.readInt32BE(at)
    if (length < -1) throw new ProtocolError('bad-length', 'remote', 'Bind parameter length')
    at += 4 + Math.max(length, 0)
    if (at > end) throw cutShort()
  }
  return at
}

/**
 * Result format codes at the end of a Bind body (after both names), [start, end):
 * int16 n, n × int16, int16 params, params × (int32 length, bytes), int16 m, m × int16.
 */
export function readBindFormats(buf: Buffer, start: number, end: number): number[] {
  const at = bindParametersEnd(buf, start, end)
  const int16 = (offset: number): number => bindInt16(buf, offset, end)
  const count = int16(at)
  const formats: number[] = []
  for (let i = 0; i < count; i++) {
    const code = int16(at + 2 + i * 2)
    if (code > 1) throw new ProtocolError('bad-value', 'remote', `unsupported format code: ${code}`)
    formats.push(code)
  }
  if (at + 2 + count * 2 !== end)
    throw new ProtocolError('trailing-bytes', 'remote', 'Bind has trailing bytes')
  return formats
}

function cutShort(): ProtocolError {
  return new ProtocolError('truncated', 'remote', 'Bind cut short')
}
