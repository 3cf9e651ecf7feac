/**
 * `regex`: every match of a checked pattern (regex-safety.ts) replaced. A cell without a match becomes the
 * constant unless the policy says `otherwise: keep`; so does a cell longer than the pattern may look at, or one
 * that is not UTF-8.
 */

import type { CellMask } from '@sallyport/protocol-wire'
import { REGEX_INPUT_BYTES_MAX } from '../limits.ts'
import { unboundedCount } from './regex-safety.ts'
import { writeBytes, writeSlice, writeText } from './sink.ts'
import type { MaskSpec } from './spec.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function regexMask(spec: Extract<MaskSpec, { kind: 'regex' }>, redacted: Buffer): CellMask {
  const pattern = new RegExp(spec.pattern, spec.flags)
  const bytesMax = REGEX_INPUT_BYTES_MAX[unboundedCount(spec.pattern)] ?? 0
  return (src, start, end, out) => {
    if (end - start > bytesMax) return writeBytes(redacted, out)
    let text: string
    try {
      text = decoder.decode(src.subarray(start, end))
    } catch {
      return writeBytes(redacted, out)
    }
    pattern.lastIndex = 0
    if (!pattern.test(text))
      return spec.otherwise === 'keep'
        ? writeSlice(src, start, end, out)
        : writeBytes(redacted, out)
    pattern.lastIndex = 0
    return writeText(text.replace(pattern, spec.replacement), out)
  }
}
