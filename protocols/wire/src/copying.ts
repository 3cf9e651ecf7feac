/** Copies of ranges of bytes, as rows are rewritten: many short ones between the same two buffers. */
import type { ByteSink } from './cell-mask.ts'

/** Up to this many bytes, eight at a time beats the call into native code; measured on Node 24. */
const WORD_COPY_BYTES_MAX = 128

const NOTHING: Buffer = Buffer.alloc(0)

// Views of the buffer last read and of the one last written: rows come from, and go to, the same two
// buffers many times over. Only speed depends on them; both are checked before each use.
let source = NOTHING
let sourceView = viewOf(NOTHING)
let target = NOTHING
let targetView = sourceView

function viewOf(buf: Buffer): DataView {
  return new DataView(buf.buffer, buf.byteOffset, buf.length)
}

/** A view of `src`, kept until another source is asked for or `forgetViews`. */
export function viewOfSource(src: Buffer): DataView {
  if (source !== src) {
    source = src
    sourceView = viewOf(src)
  }
  return sourceView
}

/** Appends `src[start, end)` to `out`; `from` is `viewOfSource(src)`. Not the same memory as `out.buf`. */
export function copyRange(
  src: Buffer,
  from: DataView,
  start: number,
  end: number,
  out: ByteSink,
): void {
  const length = end - start
  out.ensure(length)
  const { buf, at } = out
  if (length <= WORD_COPY_BYTES_MAX) {
    if (target !== buf) {
      target = buf
      targetView = viewOf(buf)
    }
    const to = targetView
    const words = length & ~7
    let i = 0
    // The compiler keeps these 64 bits in a register: no BigInt is made.
    for (; i < words; i += 8) to.setBigInt64(at + i, from.getBigInt64(start + i))
    for (; i < length; i++) buf[at + i] = src[start + i]!
  } else {
    src.copy(buf, at, start, end)
  }
  out.at = at + length
}

/** Keeps no buffer alive: after a row whose buffers had to grow beyond what is usual. */
export function forgetViews(): void {
  source = NOTHING
  sourceView = viewOf(NOTHING)
  target = NOTHING
  targetView = sourceView
}

/** For what is kept long: not a piece of a pool, which would stay as a whole. */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}
