/** Result sets as psql prints them. */

export interface Printable {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
  /** Command tag, as `UPDATE 1`. */
  readonly tag: string
}

/** Longest cell shown, characters. */
const CELL_CHARS_MAX = 60

export function formatResult({ columns, rows, tag }: Printable): string {
  if (columns.length === 0) return tag
  const cells = rows.map((row) => row.map(formatCell))
  const widths = columns.map((name, i) =>
    Math.max(name.length, ...cells.map((row) => row[i]?.length ?? 0)),
  )
  const line = (values: readonly string[]): string =>
    values
      .map((value, i) => ` ${value.padEnd(widths[i] ?? 0)} `)
      .join('|')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width + 2)).join('+')
  const count = `(${rows.length} row${rows.length === 1 ? '' : 's'})`
  const body = [line(columns), rule, ...cells.map(line), count].join('\n')
  return /^(SELECT|FETCH)/.test(tag) || tag === '' ? body : `${body}\n${tag}`
}

function formatCell(value: string | null | undefined): string {
  if (value === null || value === undefined) return ''
  const flat = value.replaceAll('\n', '⏎')
  return flat.length > CELL_CHARS_MAX ? `${flat.slice(0, CELL_CHARS_MAX - 1)}…` : flat
}

export interface PrintableError {
  readonly severity?: string | undefined
  readonly code?: string | undefined
  readonly message: string
  readonly detail?: string | undefined
  readonly hint?: string | undefined
}

export function formatError({ severity, code, message, detail, hint }: PrintableError): string {
  const lines = [`${severity ?? 'ERROR'}:  ${code === undefined ? '' : `${code}: `}${message}`]
  if (detail !== undefined) lines.push(`DETAIL:  ${detail}`)
  if (hint !== undefined) lines.push(`HINT:  ${hint}`)
  return lines.join('\n')
}
