/** How many columns of a terminal text takes: wide characters take two, combining ones none. */
import { eastAsianWidth } from 'get-east-asian-width'

const SEGMENTS = new Intl.Segmenter()
const PLAIN = /^[ -~]*$/
const EMOJI = /\p{Emoji_Presentation}|\ufe0f/u
const UNSEEN = /^[\p{Mark}\p{Default_Ignorable_Code_Point}]+$/u

export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const { segment } of SEGMENTS.segment(text)) width += characterWidth(segment)
  return width
}

/** As much of `text` as fits `width` columns. */
export function fitting(text: string, width: number): string {
  if (PLAIN.test(text)) return text.slice(0, Math.max(width, 0))
  let left = width
  let end = 0
  for (const { segment, index } of SEGMENTS.segment(text)) {
    left -= characterWidth(segment)
    if (left < 0) break
    end = index + segment.length
  }
  return text.slice(0, end)
}

/** Of what a reader takes for one character. */
function characterWidth(segment: string): number {
  if (UNSEEN.test(segment)) return 0
  if (EMOJI.test(segment)) return 2
  return eastAsianWidth(segment.codePointAt(0) ?? 0)
}
