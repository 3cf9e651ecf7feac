/**
 * Finds protected values in bytes: as they are, in any case, reversed, in hex, base64 or binary, whole or
 * any piece of them that is long enough not to be chance.
 */

/** Characters of a piece. */
const PIECE = 6

export interface Canary {
  readonly name: string
  /** As text. */
  readonly text: string
  /** In the binary formats of its type, where they differ from the text. */
  readonly binary?: readonly Buffer[]
}

interface Pattern {
  readonly canary: string
  readonly form: string
  readonly bytes: string
}

function pieces(text: string, length: number): string[] {
  if (text.length <= length) return [text]
  return Array.from({ length: text.length - length + 1 }, (_, at) => text.slice(at, at + length))
}

/** What to look for, for one canary: lower case latin1. */
function patternsOf({ name, text, binary = [] }: Canary): Pattern[] {
  const forms: [string, string[]][] = []
  const plain = text.toLowerCase()
  const reversed = [...plain].reverse().join('')
  forms.push(['itself', pieces(plain, PIECE)], ['reversed', pieces(reversed, PIECE)])
  for (const bytes of [Buffer.from(text), Buffer.from(text.toUpperCase()), Buffer.from(reversed)]) {
    forms.push(['hex', pieces(bytes.toString('hex'), PIECE * 2)])
    for (let shift = 0; shift < 3; shift++) {
      const base64 = bytes.subarray(shift).toString('base64').replaceAll('=', '').toLowerCase()
      forms.push(['base64', pieces(base64.slice(0, Math.floor(base64.length / 4) * 4), 8)])
    }
  }
  for (const bytes of binary) {
    forms.push(
      ['binary', [bytes.toString('latin1').toLowerCase()]],
      ['hex', [bytes.toString('hex')]],
    )
  }
  return forms.flatMap(([form, all]) => all.map((bytes) => ({ canary: name, form, bytes })))
}

export class LeakDetector {
  readonly #patterns: readonly Pattern[]

  constructor(canaries: readonly Canary[]) {
    this.#patterns = canaries.flatMap(patternsOf)
  }

  /** Names and forms of what is found; empty when nothing is. */
  find(bytes: Buffer): string[] {
    const text = bytes.toString('latin1').toLowerCase()
    const found = this.#patterns.filter((pattern) => text.includes(pattern.bytes))
    return [...new Set(found.map(({ canary, form }) => `${canary} (${form})`))]
  }
}
