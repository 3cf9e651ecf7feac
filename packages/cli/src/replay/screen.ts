/** Steps as lines of a terminal: statements with their verdicts, results as tables, reports. */
import { recordRow } from '../audit/describe.ts'
import { formatMoment } from '../duration.ts'
import { counted } from '../numbers.ts'
import { type Span, safe, styled, type Text } from '../output.ts'
import { fitting, widthOf } from '../width.ts'
import type { Result, Step } from './steps.ts'

/** Rows of a result shown unless --rows says otherwise. */
export const TABLE_ROWS_DEFAULT = 50
const CELL_WIDTH_MAX = 60
const CELL_WIDTH_MIN = 4
/** Of a value on a line of its own: as much as lines of this width hold. */
const VALUE_LINES_MAX = 4

export interface ScreenOptions {
  /** Characters a line may have. */
  readonly width: number
  readonly rows: number
}

const VERDICT_STYLES = { allow: 'green', deny: 'red', approve: 'yellow' } as const

export function linesOf(step: Step, options: ScreenOptions): Text[] {
  switch (step.kind) {
    case 'statement':
      return statementLines(step)
    case 'result':
      return resultLines(step, options)
    case 'notice':
      return [[styled('yellow', `${step.report.severity}:  `), step.report.message]]
    case 'record': {
      const [, , , name, what] = recordRow(step.record)
      return [[styled('dim', `-- ${formatMoment(step.at)}  `), ...flat(name), '  ', ...flat(what)]]
    }
  }
}

const flat = (text: Text | undefined): readonly (string | Span)[] =>
  text === undefined ? [] : typeof text === 'string' || 'style' in text ? [text] : text

function statementLines({ at, seq, statement }: Step & { kind: 'statement' }): Text[] {
  const { verdict, via, rule, reason, sql, parameters } = statement
  const lines: Text[] = [
    '',
    [
      styled('dim', `${formatMoment(at)}  #${seq} ${via}  `),
      styled(VERDICT_STYLES[verdict], verdict),
      styled('dim', rule === null ? '' : `  ${rule}`),
    ],
  ]
  const [first = '', ...more] = sql.split(/\r?\n/)
  lines.push([styled('bold', '> '), styled('bold', first)])
  for (const line of more) lines.push([styled('bold', `  ${line}`)])
  if (parameters !== undefined) {
    const shown = parameters.map((value, i) => `$${i + 1} = ${value ?? 'NULL'}`).join(', ')
    lines.push([styled('dim', `  ${shown}`)])
  }
  if (verdict !== 'allow' && reason !== undefined) lines.push([styled('yellow', `  ${reason}`)])
  return lines
}

function resultLines({ result, ms }: Step & { kind: 'result' }, options: ScreenOptions): Text[] {
  const { columns, rows, missing, tag, report, copied, sent } = result
  const lines: Text[] = []
  if (columns.length > 0 || rows.length > 0) lines.push(...tableLines(result, options))
  if (sent.length > 0) lines.push(...dataLines(sent, '» ', options))
  if (copied.length > 0) lines.push(...dataLines(copied, '  ', options))
  if (rows.length > options.rows) lines.push(more(rows.length - options.rows, 'row'))
  if (missing > 0) lines.push([styled('dim', `  (${counted(missing, 'row')} not recorded)`)])
  if (report !== null) {
    lines.push([styled('red', `${report.severity}:  `), `${report.message} (${report.sqlstate})`])
    if (report.detail !== null) lines.push(`DETAIL:  ${report.detail}`)
    if (report.hint !== null) lines.push(`HINT:  ${report.hint}`)
  }
  const took = ms === null ? '' : `${ms} ms`
  const words = [tag ?? '', took].filter((part) => part !== '').join('  ')
  if (words !== '') lines.push([styled('dim', words)])
  return lines
}

/** Lines of data that went past as it is. */
function dataLines(data: Buffer, mark: string, { rows }: ScreenOptions): Text[] {
  const text = data.toString('utf8').replace(/\n$/, '').split('\n')
  const lines: Text[] = text.slice(0, rows).map((line) => [styled('dim', mark), line])
  return text.length > rows ? [...lines, more(text.length - rows, 'line')] : lines
}

const more = (count: number, what: string): Text => [
  styled('dim', `  … ${counted(count, what)} more (--rows all)`),
]

function tableLines({ columns, rows }: Result, { width, rows: most }: ScreenOptions): Text[] {
  const shown = rows.slice(0, most)
  const count = Math.max(columns.length, ...shown.map((row) => row.length), 0)
  const titles = Array.from({ length: count }, (_, i) => columns[i]?.name ?? `column ${i + 1}`)
  const cells = shown.map((row) => titles.map((_, i) => cellText(row[i])))
  if (count * (CELL_WIDTH_MIN + 3) + 1 > width) return recordLines(titles, cells, width)
  const widths = titles.map((title, i) =>
    Math.min(
      CELL_WIDTH_MAX,
      Math.max(1, ...[title, ...cells.map((row) => row[i] ?? '')].map(widthOf)),
    ),
  )
  narrow(widths, width - 3 * count - 1)
  const edge = (left: string, middle: string, right: string): Text => [
    styled('dim', left + widths.map((one) => '─'.repeat(one + 2)).join(middle) + right),
  ]
  const line = (row: readonly string[], style: 'bold' | null): Text => {
    const bar = styled('dim', '│')
    return row.flatMap((cell, i): (string | Span)[] => {
      const text = ` ${fit(cell, widths[i] ?? 0)} `
      return [...(i === 0 ? [bar] : []), style === null ? text : styled(style, text), bar]
    })
  }
  return [
    edge('┌', '┬', '┐'),
    line(titles, 'bold'),
    edge('├', '┼', '┤'),
    ...cells.map((row) => line(row, null)),
    edge('└', '┴', '┘'),
  ]
}

/** For more columns than fit side by side: each value on a line of its own. */
function recordLines(
  titles: readonly string[],
  cells: readonly (readonly string[])[],
  width: number,
): Text[] {
  const most = Math.min(Math.max(...titles.map(widthOf)), CELL_WIDTH_MAX)
  const room = Math.max(width - most - 3, CELL_WIDTH_MIN) * VALUE_LINES_MAX
  return cells.flatMap((row, i): Text[] => [
    [styled('dim', `─[ row ${i + 1} ]${'─'.repeat(Math.max(most - 6, 1))}`)],
    ...titles.map((title, j): Text => {
      const value = row[j] ?? ''
      const text = widthOf(value) > room ? `${fitting(value, room - 1)}…` : value
      return [styled('bold', fit(title, most)), styled('dim', ' │ '), text]
    }),
  ])
}

const cellText = (cell: string | null | undefined): string =>
  cell === null || cell === undefined ? '∅' : safe(cell)

function fit(cell: string, width: number): string {
  const over = widthOf(cell) > width
  const text = over ? `${fitting(cell, width - 1)}…` : cell
  return text + ' '.repeat(Math.max(width - widthOf(text), 0))
}

/** The widest columns give way until the table fits. */
function narrow(widths: number[], room: number): void {
  for (let over = widths.reduce((sum, one) => sum + one, 0) - room; over > 0; over--) {
    const widest = Math.max(...widths)
    if (widest <= CELL_WIDTH_MIN) return
    widths[widths.indexOf(widest)] = widest - 1
  }
}
