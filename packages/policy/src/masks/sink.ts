/** Where masked bytes go, and the small writers every mask uses. */

import type { ByteSink, CellMask } from '@sallyport/protocol-wire'

export const NULL_MASK: CellMask = () => -1

/** Up to this many bytes a loop beats Buffer.copy. */
const LOOP_BYTES_MAX = 48

export function writeBytes(bytes: Buffer, out: ByteSink): number {
  const { length } = bytes
  out.ensure(length)
  const { buf, at } = out
  if (length <= LOOP_BYTES_MAX) for (let i = 0; i < length; i++) buf[at + i] = bytes[i] as number
  else bytes.copy(buf, at)
  out.at = at + length
  return length
}

export function writeSlice(src: Buffer, start: number, end: number, out: ByteSink): number {
  const length = end - start
  out.ensure(length)
  const { buf, at } = out
  if (length <= LOOP_BYTES_MAX)
    for (let i = 0; i < length; i++) buf[at + i] = src[start + i] as number
  else src.copy(buf, at, start, end)
  out.at = at + length
  return length
}

/** ASCII or UTF-8 text. */
export function writeText(text: string, out: ByteSink): number {
  out.ensure(text.length * 3)
  const length = out.buf.write(text, out.at, 'utf8')
  out.at += length
  return length
}

export function constantMask(bytes: Buffer): CellMask {
  return (_src, _start, _end, out) => writeBytes(bytes, out)
}

/** The same for every value and for NULL. */
export function wholeMask(bytes: Buffer): CellMask {
  return Object.assign(constantMask(bytes), { masksNull: true })
}

/** A sink of our own, for masks that need the inner result before they can write it. */
export class Scratch implements ByteSink {
  buf: Buffer = Buffer.allocUnsafe(1024)
  at = 0

  ensure(extra: number): void {
    const needed = this.at + extra
    if (needed <= this.buf.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buf.length * 2))
    this.buf.copy(grown, 0, 0, this.at)
    this.buf = grown
  }
}
