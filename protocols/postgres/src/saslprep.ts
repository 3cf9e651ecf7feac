/**
 * SASLprep (RFC 4013) of a SCRAM password, as PostgreSQL's own client and server do it: where the
 * profile refuses a password, both sides use it as it is; and the checks read the mapped text, not the
 * normalised one (pg_saslprep). Differing from them here would mean failing to log in.
 *
 * https://www.rfc-editor.org/rfc/rfc4013, src/common/saslprep.c
 */

import {
  LCAT,
  MAPPED_TO_NOTHING,
  NON_ASCII_SPACE,
  PROHIBITED,
  RANDALCAT,
  UNASSIGNED,
} from './saslprep-tables.ts'

type Contains = (codePoint: number) => boolean

function tableOf(text: string): Contains {
  const bounds: number[] = []
  for (const word of text.trim().split(/\s+/)) {
    const [first, last] = word.split('-')
    const start = Number.parseInt(first!, 16)
    bounds.push(start, last === undefined ? start : Number.parseInt(last, 16))
  }
  return (codePoint) => {
    for (let i = 0; i < bounds.length; i += 2) {
      if (codePoint < bounds[i]!) return false
      if (codePoint <= bounds[i + 1]!) return true
    }
    return false
  }
}

const isSpace = tableOf(NON_ASCII_SPACE)
const isNothing = tableOf(MAPPED_TO_NOTHING)
const isProhibited = tableOf(PROHIBITED)
const isUnassigned = tableOf(UNASSIGNED)
const isRightToLeft = tableOf(RANDALCAT)
const isLeftToRight = tableOf(LCAT)

// Every ASCII character, control characters too: the quick check of pg_saslprep.
function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

/** The password to compute with; the password itself where SASLprep refuses it. */
export function saslprep(password: string): string {
  if (isAscii(password)) return password
  const mapped: number[] = []
  for (const char of password) {
    const codePoint = char.codePointAt(0)!
    if (isSpace(codePoint)) mapped.push(0x20)
    else if (!isNothing(codePoint)) mapped.push(codePoint)
  }
  if (mapped.length === 0) return password
  if (mapped.some((codePoint) => isProhibited(codePoint) || isUnassigned(codePoint))) {
    return password
  }
  if (mapped.some(isRightToLeft)) {
    const ends = isRightToLeft(mapped[0]!) && isRightToLeft(mapped.at(-1)!)
    if (!ends || mapped.some(isLeftToRight)) return password
  }
  return String.fromCodePoint(...mapped).normalize('NFKC')
}
