/** Rows that a statement changes, asked for before and after it: each by its primary key, with its values as one JSON array. */
import type { ProbeAnswer } from '@sallyport/protocol-mysql'
import type { ChangedRows } from '@sallyport/sql'
import type { PreviewRow } from '../../approvals/journal.ts'
import type { PreviewTarget } from '../previews.ts'

/** Longer values are cut, characters. */
const VALUE_CHARS_MAX = 200
/** Of all values together: with many columns, each is cut sooner. */
const ALL_CHARS_MAX = 131_072
/** Stands for every value of a column that nobody sees. */
const HIDDEN = '[masked]'
const BINARY_TYPES = /^(bit|(var)?binary|(tiny|medium|long)?blob|geometry|point|polygon|vector)/i
const ROW = '`sallyport_row`'

export type Cells = ProbeAnswer[number]

/** As the statement itself finds them; they stay locked until it is undone. */
export function beforeText(
  target: PreviewTarget,
  {
    changed: { table, called, where },
    key,
    rows,
  }: { readonly changed: ChangedRows; readonly key: readonly string[]; readonly rows: number },
): string {
  const condition = where === null ? '' : ` WHERE (${where})`
  return `SELECT ${cellsOf(target, { called, key, rows })} FROM ${table}${condition} LIMIT ${rows} FOR UPDATE`
}

/** `were`: what `beforeText` was answered with. With a LIMIT: one without is cut by the session's `sql_select_limit`. */
export function afterText(
  target: PreviewTarget,
  { key, were }: { readonly key: readonly string[]; readonly were: readonly Cells[] },
): string {
  const { schema, name } = target.relation
  const types = typesOf(target)
  const same = were.map((cells) => {
    const terms = key.map((column, i) => {
      const value = valueText(cells[i] ?? '', types.get(column) ?? '')
      return `${ROW}.${quoted(column)} = ${value}`
    })
    return `(${terms.join(' AND ')})`
  })
  const cells = cellsOf(target, { called: ROW, key, rows: were.length })
  return `SELECT ${cells} FROM ${quoted(schema)}.${quoted(name)} AS ${ROW} WHERE ${same.join(' OR ')} LIMIT ${were.length}`
}

/** `are`: what `afterText` was answered with; null: it was refused, and nothing is known of them. */
export function changedRows(
  were: readonly Cells[],
  are: readonly Cells[] | null,
): readonly PreviewRow[] {
  if (are === null) return []
  const now = new Map(are.map((cells) => [keyOf(cells), valuesOf(cells)]))
  return were.map((cells) => ({ before: valuesOf(cells), after: now.get(keyOf(cells)) ?? null }))
}

const keyOf = (cells: Cells): string => JSON.stringify(cells.slice(0, -1))

/** Safe: it is the server's own JSON of the texts that `cellsOf` made. */
const valuesOf = (cells: Cells): readonly (string | null)[] =>
  JSON.parse(cells.at(-1) ?? '[]') as (string | null)[]

/** Cells of its key, and one with all that is shown. As binary strings: those come as they are, whatever the session asks for. */
function cellsOf(
  target: PreviewTarget,
  {
    called,
    key,
    rows,
  }: { readonly called: string; readonly key: readonly string[]; readonly rows: number },
): string {
  const { columns } = target
  const each = Math.floor(ALL_CHARS_MAX / (2 * Math.max(rows, 1) * Math.max(columns.length, 1)))
  const chars = Math.min(Math.max(each, 1), VALUE_CHARS_MAX)
  const types = typesOf(target)
  const values = columns.map(({ name, shown }) => {
    if (!shown) return `_utf8mb4'${HIDDEN}'`
    const column = `${called}.${quoted(name)}`
    return BINARY_TYPES.test(types.get(name.toLowerCase()) ?? '')
      ? `CONCAT('0x', LEFT(HEX(${column}), ${chars}))`
      : `LEFT(CONVERT(${column} USING utf8mb4), ${chars})`
  })
  const keys = key.map((name) => asBinary(`${called}.${quoted(name)}`))
  return [...keys, asBinary(`JSON_ARRAY(${values.join(', ')})`)].join(', ')
}

const asBinary = (expression: string): string =>
  `CAST(CONVERT(${expression} USING utf8mb4) AS BINARY)`

/** By lower-case name. */
const typesOf = ({ relation }: PreviewTarget): ReadonlyMap<string, string> =>
  new Map(relation.columns.map(({ name, type }) => [name.toLowerCase(), type]))

/** Numbers as numbers: a text would be compared with them as a double. */
function valueText(text: string, type: string): string {
  return /int|decimal/i.test(type) && /^-?\d+(\.\d+)?$/.test(text) ? text : literal(text)
}

/** Hexadecimal digits: no value can be anything else than a value. */
export const literal = (text: string): string =>
  `_utf8mb4 x'${Buffer.from(text, 'utf8').toString('hex')}'`

const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``
