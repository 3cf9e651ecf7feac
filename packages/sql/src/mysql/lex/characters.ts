/** Classes of characters as the servers' `utf8mb4` lexer has them (sql_lex_hash, lex_charset state maps). */

/** Bits of CLASS. */
const IDENTIFIER = 1
const DIGIT = 2
const SPACE = 4
const CONTROL = 8
const HEX = 16
const HOST = 32

const CLASS = new Uint8Array(128)
for (let code = 0; code < 128; code++) {
  const digit = code >= 48 && code <= 57
  const letter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122)
  const hex = digit || (code >= 65 && code <= 70) || (code >= 97 && code <= 102)
  if (digit || letter || code === 95 || code === 36) CLASS[code]! |= IDENTIFIER
  if (digit) CLASS[code]! |= DIGIT
  if (code === 32 || (code >= 9 && code <= 13)) CLASS[code]! |= SPACE
  if (code < 32 || code === 127) CLASS[code]! |= CONTROL
  if (hex) CLASS[code]! |= HEX
  if (digit || letter || code === 46 || code === 95 || code === 36) CLASS[code]! |= HOST
}

/** Letters, digits, `_`, `$` and everything beyond ASCII. NaN (the end of the text) is nothing. */
export function isIdentifierPart(code: number): boolean {
  return code >= 128 || (CLASS[code]! & IDENTIFIER) !== 0
}

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** Space, tab, LF, VT, FF, CR. A no-break space is part of a name. */
export function isSpace(code: number): boolean {
  return code < 128 && (CLASS[code]! & SPACE) !== 0
}

/** What makes a comment of the `--` in front of it; also the end of the text. */
export function endsDashes(code: number): boolean {
  return Number.isNaN(code) || (code < 128 && (CLASS[code]! & (SPACE | CONTROL)) !== 0)
}

export function isHexDigit(code: number): boolean {
  return code < 128 && (CLASS[code]! & HEX) !== 0
}

/** What a variable's name after `@` may have without quotes: a name's characters and dots. */
export function isHostPart(code: number): boolean {
  return code >= 128 || (CLASS[code]! & HOST) !== 0
}
