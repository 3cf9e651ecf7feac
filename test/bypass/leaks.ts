/**
 * Finds protected values in bytes: as they are, in any case, reversed, as codes of their characters, in hex,
 * base64 or URL encoding, hashed, or in the server's binary format, whole or any piece long enough not to be
 * chance.
 */
import { createHash } from 'node:crypto'
import { cells, type Frame } from '../support/wire.ts'

/** Characters of a piece of text. */
const PIECE = 6
/** Bytes below which a binary form is no evidence. */
const BINARY_BYTES_MIN = 4
const DIGESTS = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const

export interface Canary {
  readonly name: string
  /** A long word of the cell as text, or all of it where there is none. */
  readonly text: string
  /** The whole cell as text. */
  readonly cell: string
  readonly binary: Buffer | null
}

/** Canaries of one result, read in both formats: each cell, and each long word in it. */
export function canariesOf(text: readonly Frame[], binary: readonly Frame[]): Canary[] {
  const description = text.find(({ message }) => message.kind === 'RowDescription')?.message
  if (description?.kind !== 'RowDescription') throw new Error('the canaries could not be read')
  const raw = binary.flatMap(({ message }) => (message.kind === 'DataRow' ? [message.values] : []))
  return cells(text).flatMap((row, at) =>
    row.flatMap((cell, column) => {
      if (cell === null) return []
      const name = description.fields[column]?.name ?? '?'
      const bytes = raw[at]?.[column] ?? null
      const words = cell.match(/[A-Za-z0-9]{6,}/g) ?? [cell]
      return words.map((one) => ({
        name,
        text: one,
        cell,
        binary: bytes === null ? null : Buffer.from(bytes),
      }))
    }),
  )
}

function pieces(text: string, length: number): string[] {
  if (text.length <= length) return text.length < PIECE ? [] : [text]
  return Array.from({ length: text.length - length + 1 }, (_, at) => text.slice(at, at + length))
}

/** Words that occur in any world: a piece of one proves nothing. */
const OPEN_WORDS = /^(\W*(phone|shown|open|list|deep|secret|example|seconds?|00:00)\W*)*$/

/** What to look for, for one canary, with the form's name: lower case latin1. */
function formsOf({ text, cell, binary }: Canary): [form: string, patterns: string[]][] {
  const plain = text.toLowerCase()
  const reversed = [...plain].reverse().join('')
  // Of numbers and dates only the whole is unguessable: half a date is a year.
  const isWord = /[g-wyz]/.test(plain)
  const cut = (form: string): string[] =>
    isWord ? pieces(form, PIECE) : form.length < PIECE ? [] : [form]
  const forms: [string, string[]][] = [
    ['itself', cut(plain)],
    ['reversed', cut(reversed)],
    ['url', plain === encodeURIComponent(plain) ? [] : [encodeURIComponent(plain).toLowerCase()]],
  ]
  for (const bytes of [
    Buffer.from(text),
    Buffer.from(plain),
    Buffer.from(text.toUpperCase()),
    Buffer.from([...text].reverse().join('')),
  ]) {
    forms.push(['hex', pieces(bytes.toString('hex'), PIECE * 2)])
    const codes = [...bytes].slice(0, 8)
    if (codes.length >= PIECE)
      for (const separator of [',', ', ', ' ', '|', ''])
        forms.push(['codes', [codes.slice(0, PIECE).join(separator)]])
    for (let shift = 0; shift < 3; shift++) {
      const base64 = bytes.subarray(shift).toString('base64').replaceAll('=', '').toLowerCase()
      forms.push([
        'base64',
        pieces(base64.slice(0, Math.floor(base64.length / 4) * 4), 8).filter(
          (piece) => piece.length >= 8,
        ),
      ])
    }
  }
  for (const whole of new Set([text, cell, cell.toLowerCase(), cell.toUpperCase()]))
    for (const digest of DIGESTS)
      forms.push([digest, pieces(createHash(digest).update(whole).digest('hex').slice(0, 24), 12)])
  if (binary !== null && binary.length >= BINARY_BYTES_MIN)
    forms.push(
      ['binary', [binary.toString('latin1').toLowerCase()]],
      ['hex', [binary.toString('hex')]],
    )
  return forms
}

/** Characters by which patterns are looked up; none is shorter. */
const GRAM = 4

interface Pattern {
  readonly bytes: string
  /** What it is a form of. */
  readonly found: string
}

export class LeakDetector {
  /** By their first characters. */
  readonly #patterns = new Map<string, Pattern[]>()

  constructor(canaries: readonly Canary[]) {
    for (const canary of canaries) {
      if (OPEN_WORDS.test(canary.text.toLowerCase())) continue
      for (const [form, patterns] of formsOf(canary))
        for (const bytes of patterns) this.#add({ bytes, found: `${canary.name} (${form})` })
    }
  }

  #add(pattern: Pattern): void {
    if (OPEN_WORDS.test(pattern.bytes)) return
    const gram = pattern.bytes.slice(0, GRAM)
    const known = this.#patterns.get(gram)
    if (known === undefined) this.#patterns.set(gram, [pattern])
    else known.push(pattern)
  }

  /** Names and forms of what is found; empty when nothing is. */
  find(bytes: Buffer): string[] {
    const text = bytes.toString('latin1').toLowerCase()
    const found = new Set<string>()
    for (let at = 0; at + GRAM <= text.length; at++)
      for (const pattern of this.#patterns.get(text.slice(at, at + GRAM)) ?? [])
        if (text.startsWith(pattern.bytes, at)) found.add(pattern.found)
    return [...found]
  }
}
