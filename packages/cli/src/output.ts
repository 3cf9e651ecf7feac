/**
 * What reaches the terminal. Everything that is printed goes through `safe`: a subject, a statement or a
 * claim may hold escape sequences, and a terminal obeys them. Styles are kept apart from text until then.
 */
import { styleText } from 'node:util'
import { fitting, widthOf } from './width.ts'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

export interface Span {
  readonly text: string
  readonly style: Style
}
export type Text = string | Span | readonly (string | Span)[]

export const styled = (style: Style, text: string): Span => ({ text, style })

/** The part of a stream that is used; process.stdout is one. */
export interface Stream {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

export interface OutputOptions {
  readonly stdout: Stream
  readonly stderr: Stream
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Shortened to this many characters, terminal or not. */
  readonly max?: number
}

const CELL_CHARS_MIN = 8

export class Output {
  readonly #stdout: Stream
  readonly #stderr: Stream
  readonly #colour: boolean

  constructor({ stdout, stderr, env }: OutputOptions) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.#colour = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  }

  /** Does a person read stdout? */
  get interactive(): boolean {
    return this.#stdout.isTTY === true
  }

  /** Characters of a line; undefined when stdout is no terminal. */
  get width(): number | undefined {
    return this.#stdout.isTTY === true ? this.#stdout.columns : undefined
  }

  /** Lines of a screen; undefined when stdout is no terminal. */
  get height(): number | undefined {
    return this.#stdout.isTTY === true ? this.#stdout.rows : undefined
  }

  /** One line of the answer. */
  line(text: Text = ''): void {
    this.#stdout.write(`${this.#render(text, this.#stdout)}\n`)
  }

  /** One line beside the answer (stderr): a pipe that reads the answer does not see it. */
  note(text: Text = ''): void {
    this.#stderr.write(`${this.#render(text, this.#stderr)}\n`)
  }

  /** Text of several lines, each indented. */
  block(text: string, indent: string): void {
    for (const part of text.split(/\r?\n/)) this.line(indent + part)
  }

  json(value: unknown): void {
    this.#stdout.write(`${jsonText(value)}\n`)
  }

  /** The answer itself, as it is: a token, a schema. Nothing that came from elsewhere. */
  raw(text: string): void {
    this.#stdout.write(text)
  }

  /** On a terminal, the widest columns give way until the table fits. */
  table(
    columns: readonly Column[],
    rows: readonly (readonly Text[])[],
    options: { readonly header?: boolean } = {},
  ): void {
    const cells = rows.map((row) =>
      row.map((cell, index) => clip(cell, columns[index]?.max ?? Number.POSITIVE_INFINITY)),
    )
    const widths = columns.map((column, index) =>
      Math.max(column.title.length, ...cells.map((row) => lengthOf(row[index] ?? ''))),
    )
    const room = this.#stdout.isTTY === true ? (this.#stdout.columns ?? 0) : 0
    if (room > 0) narrow(widths, room - 2 * (columns.length - 1))
    const show = (row: readonly Text[]): void => {
      const parts = columns.flatMap((column, index): (string | Span)[] => {
        const width = widths[index] ?? 0
        const cell = clip(row[index] ?? '', width)
        const gap = ' '.repeat(width - lengthOf(cell))
        const spans = spansOf(cell)
        const last = index === columns.length - 1
        if (column.align === 'right') return [gap, ...spans, last ? '' : '  ']
        return last ? [...spans] : [...spans, `${gap}  `]
      })
      this.line(parts)
    }
    if (options.header !== false) show(columns.map(({ title }) => styled('dim', title)))
    for (const row of cells) show(row)
  }

  #render(text: Text, stream: Stream): string {
    const colour = this.#colour && stream.isTTY === true
    return spansOf(text)
      .map((part) => {
        if (typeof part === 'string') return safe(part)
        const plain = safe(part.text)
        return colour ? styleText(part.style, plain, { validateStream: false }) : plain
      })
      .join('')
  }
}

/** C0, DEL, C1, line separators, zero-width and bidirectional controls: shown as `\u…` instead. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is what it is for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

const escapeChar = (char: string): string =>
  `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`

/** One line that a terminal shows and does not obey. Line ends become spaces, other controls `\u…`. */
export function safe(text: string): string {
  return text.replaceAll(/\r?\n|\t/g, ' ').replaceAll(UNSAFE, escapeChar)
}

/** JSON whose text is also safe to look at; still the same JSON value. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(UNSAFE, (char) =>
    char === '\n' ? char : escapeChar(char),
  )
}

/** One JSON value on one line, for streams of values. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replaceAll(UNSAFE, escapeChar)
}

function spansOf(text: Text): readonly (string | Span)[] {
  return typeof text === 'string' || 'style' in text ? [text] : text
}

const plainOf = (part: string | Span): string => safe(typeof part === 'string' ? part : part.text)

function lengthOf(text: Text): number {
  return spansOf(text).reduce((sum, part) => sum + widthOf(plainOf(part)), 0)
}

/** At most `max` columns wide, the last one `…` when something is missing. */
function clip(text: Text, max: number): Text {
  if (lengthOf(text) <= max) return text
  const clipped: (string | Span)[] = []
  let left = max - 1
  for (const part of spansOf(text)) {
    const kept = fitting(plainOf(part), left)
    clipped.push(typeof part === 'string' ? kept : { ...part, text: kept })
    left -= widthOf(kept)
    if (left <= 0) break
  }
  return [...clipped, '…']
}

function narrow(widths: number[], room: number): void {
  let over = widths.reduce((sum, width) => sum + width, 0) - room
  while (over > 0) {
    const widest = Math.max(...widths)
    if (widest <= CELL_CHARS_MIN) return
    const index = widths.indexOf(widest)
    const next = Math.max(CELL_CHARS_MIN, ...widths.filter((width) => width < widest))
    const cut = Math.min(over, Math.max(1, widest - next))
    widths[index] = widest - cut
    over -= cut
  }
}
