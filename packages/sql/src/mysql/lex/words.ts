/** Upper case of bare words: of ASCII only, because the servers know no other keywords. */
import { RESERVED_WORDS } from './reserved.ts'

/** Spares the common words the conversion. */
const KNOWN = new Map(
  RESERVED_WORDS.flatMap((word) => [[word, word] as const, [word.toLowerCase(), word] as const]),
)

/** '' where a character is beyond ASCII: such a word is a name. */
export function upperCase(word: string): string {
  const known = KNOWN.get(word)
  if (known !== undefined) return known
  for (let i = 0; i < word.length; i++) if (word.charCodeAt(i) >= 128) return ''
  return word.toUpperCase()
}
