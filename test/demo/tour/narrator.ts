/** What the tour prints: what a user would type, what they would see, and whether each promise held. */
import type { Writable } from 'node:stream'
import { styleText } from 'node:util'

/** Lines of one answer that are shown. */
const OUTPUT_LINES_MAX = 12

export class Narrator {
  readonly #out: Writable
  readonly #colour: boolean
  readonly #quiet: boolean
  #muted = false
  readonly #broken: string[] = []
  #kept = 0
  #chapter = ''

  /** `quiet`: only broken promises are printed. */
  constructor({ out, quiet }: { out: Writable & { readonly isTTY?: boolean }; quiet: boolean }) {
    this.#out = out
    this.#quiet = quiet
    this.#colour = out.isTTY === true && process.env['NO_COLOR'] === undefined
  }

  /** Promises that did not hold, each with its chapter. */
  get broken(): readonly string[] {
    return this.#broken
  }
  get kept(): number {
    return this.#kept
  }

  /** Says nothing from now on, and counts nothing: the tour was given up. */
  mute(): void {
    this.#muted = true
  }

  line(text = ''): void {
    if (!this.#quiet && !this.#muted) this.#write(text)
  }

  chapter(title: string): void {
    this.#chapter = title
    this.line()
    this.line(this.#style('bold', `── ${title} ${'─'.repeat(Math.max(2, 76 - title.length))}`))
  }

  /** `who`: a prompt, as `analyst` or `$` for a shell. */
  command(who: string, text: string): void {
    this.line()
    this.line(`${this.#style('cyan', `${who}>`)} ${text}`)
  }

  output(text: string): void {
    const lines = text.trimEnd().split('\n')
    for (const line of lines.slice(0, OUTPUT_LINES_MAX)) this.line(`  ${line}`)
    if (lines.length > OUTPUT_LINES_MAX) {
      this.line(`  … ${lines.length - OUTPUT_LINES_MAX} more lines`)
    }
  }

  /** `held` decides; `seen` is shown when it did not. */
  promise(text: string, held: boolean, seen: unknown = undefined): void {
    if (this.#muted) return
    if (held) {
      this.#kept++
      this.line(`${this.#style('green', 'PASS')}  ${text}`)
      return
    }
    this.#broken.push(`${this.#chapter}: ${text}`)
    const because = seen === undefined ? '' : `\n      seen: ${describe(seen)}`
    this.#write(`${this.#style('red', 'FAIL')}  ${text}${because}`)
  }

  #write(text: string): void {
    this.#out.write(`${text}\n`)
  }

  #style(format: 'bold' | 'cyan' | 'green' | 'red', text: string): string {
    return this.#colour ? styleText(format, text, { validateStream: false }) : text
  }
}

function describe(seen: unknown): string {
  const text = seen instanceof Error ? (seen.stack ?? seen.message) : (JSON.stringify(seen) ?? '')
  return text.slice(0, 1500)
}
