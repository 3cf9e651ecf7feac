/** What the shared index keeps of terms, words and texts, as PostgreSQL takes it. Pure. */

import { hash } from 'node:crypto'
import { SHARED_WORD_CHARS_MAX, SHARED_WORDS_BYTES_MAX } from '../limits.ts'
import { wordsOf } from './terms.ts'

/** A term's number: 64 bits of its SHA-256, as a signed integer in decimal. */
export function termNumber(term: string): string {
  return Buffer.from(hash('sha256', term, 'hex'), 'hex')
    .readBigInt64BE(0)
    .toString()
}

/** Lexemes of texts; null: more than a tsvector holds, so every search has to look at them. */
export function lexemesOf(texts: ReadonlySet<string>): readonly string[] | null {
  const lexemes = new Set<string>()
  let bytes = 0
  for (const text of texts) {
    for (const word of wordsOf(text)) {
      const lexeme = shortened(word)
      if (lexemes.has(lexeme)) continue
      lexemes.add(lexeme)
      bytes += Buffer.byteLength(lexeme)
      if (bytes > SHARED_WORDS_BYTES_MAX) return null
    }
  }
  return [...lexemes]
}

/** All of the words; the last may be the start of one. They hold letters, digits, `_` and nothing to quote. */
export function wordsQuery(words: readonly string[]): string {
  return `${words.map((word) => `'${shortened(word)}'`).join(' & ')}:*`
}

function shortened(word: string): string {
  return word.slice(0, SHARED_WORD_CHARS_MAX).toWellFormed()
}

/** PostgreSQL stores no NUL, and no half of a surrogate pair. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed()
}
