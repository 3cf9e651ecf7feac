/**
 * A statement that changes rows, so written that it also tells what it changed: how many rows, and some of them before
 * and after. To be run and rolled back.
 *
 *   WITH sallyport_preview AS (<the statement> RETURNING <before>, <after>) SELECT <one JSON text of both>
 *
 * The text is spliced, never made from a tree. What was made is parsed again, and the statement in it must have the
 * tree of the one that was given.
 */
import type { Parser } from './parse.ts'
import { piecesOf } from './pieces.ts'
import { type Tree, treeOf, treeText } from './same-tree.ts'

export interface PreviewWanted {
  /** Of the table that it writes; null: a column whose values nobody sees. */
  readonly columns: readonly { readonly name: string; readonly shown: boolean }[]
  /** Rows to be told; 0: none. */
  readonly rows: number
  /** The server's major version: 18 and later tell a row as it was and as it would be. */
  readonly version: number
}

/** Stands for every value of a column that nobody sees. */
const HIDDEN = '[masked]'
/** Longer values are cut, characters. */
const VALUE_CHARS_MAX = 200
/** Of all values together: with many columns, each is cut sooner. */
const ALL_CHARS_MAX = 131_072
/** The first server that knows OLD and NEW in RETURNING. */
const OLD_AND_NEW = 18
const STATEMENTS = ['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'] as const

/** Null: it cannot be done with certainty. */
export function previewText(parser: Parser, sql: string, wanted: PreviewWanted): string | null {
  const target = targetOf(treeOf(parser, sql))
  const body = withoutReturning(sql)
  if (target === null || body === null) return null
  const { before, after, aliases } = statesOf(target, wanted)
  const text =
    `WITH sallyport_preview AS (${body}\nRETURNING ${aliases}${before} AS before, ${after} AS after) ` +
    `SELECT pg_catalog.json_build_object('affected', (SELECT pg_catalog.count(*) FROM sallyport_preview), 'rows', ` +
    `(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(before, after)) FROM ` +
    `(SELECT before, after FROM sallyport_preview LIMIT ${wanted.rows}) AS shown))::pg_catalog.text`
  return isMeant(target, treeOf(parser, text)) ? text : null
}

interface Target {
  readonly kind: (typeof STATEMENTS)[number]
  readonly tree: Tree
  /** What the statement calls the table that it writes, as SQL. */
  readonly called: string
}

function statesOf(
  { kind, called }: Target,
  { columns, rows, version }: PreviewWanted,
): { readonly before: string; readonly after: string; readonly aliases: string } {
  const none = 'NULL::pg_catalog.text[]'
  const each = Math.floor(ALL_CHARS_MAX / (2 * Math.max(rows, 1) * Math.max(columns.length, 1)))
  const chars = Math.min(Math.max(each, 1), VALUE_CHARS_MAX)
  const row = (table: string): string => (rows === 0 ? none : rowOf(table, columns, chars))
  if (version >= OLD_AND_NEW) {
    const state = (table: string): string =>
      `CASE WHEN ${table}.ctid IS NULL THEN NULL ELSE ${row(table)} END`
    const [old, now] = ['sallyport_old', 'sallyport_new']
    const aliases = `WITH (OLD AS ${old}, NEW AS ${now}) `
    return { before: state(old), after: state(now), aliases }
  }
  const deletes = kind === 'DeleteStmt'
  return {
    before: deletes ? row(called) : none,
    after: deletes ? none : row(called),
    aliases: '',
  }
}

function rowOf(table: string, columns: PreviewWanted['columns'], chars: number): string {
  const cells = columns.map(({ name, shown }) => {
    if (!shown) return `'${HIDDEN}'`
    const value = `${table}.${quoted(name)}`
    const text = `pg_catalog."left"(pg_catalog.format('%s', ${value}), ${chars})`
    return `CASE WHEN ${value} IS NULL THEN NULL ELSE ${text} END`
  })
  return `ARRAY[${cells.join(', ')}]::pg_catalog.text[]`
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Up to its own RETURNING, which ends every such statement, and without a semicolon at its end; null: unreadable. */
function withoutReturning(sql: string): string | null {
  const pieces = piecesOf(sql)?.pieces ?? []
  let depth = 0
  let at = 0
  let end = 0
  let returning: number | null = null
  let last = ''
  for (const { text, key, gap } of pieces) {
    if (key === '(') depth++
    if (key === ')') depth--
    if (key === 'RETURNING' && depth === 0 && last !== '.') returning = at
    at += gap.length + text.length
    if (key !== ';') end = at
    last = key
  }
  return pieces.length === 0 ? null : sql.slice(0, returning ?? end)
}

function targetOf(tree: Tree | null): Target | null {
  const kind = STATEMENTS.find((one) => tree !== null && one in tree)
  if (kind === undefined) return null
  const statement = (tree?.[kind] ?? {}) as Tree
  const relation = (statement['relation'] ?? {}) as Tree
  const alias = (relation['alias'] ?? {}) as Tree
  const name = alias['aliasname'] ?? relation['relname']
  return typeof name === 'string' ? { kind, tree: statement, called: quoted(name) } : null
}

const RETURNS = ['returningClause', 'returningList']

/** The one statement in it that writes is the one that was given, but for its RETURNING. */
function isMeant({ kind, tree }: Target, made: Tree | null): boolean {
  const select = (made?.['SelectStmt'] ?? {}) as Tree
  const withClause = (select['withClause'] ?? {}) as { ctes?: readonly Tree[] }
  const [table, ...more] = withClause.ctes ?? []
  const expression = (table?.['CommonTableExpr'] ?? {}) as Tree
  const inside = ((expression['ctequery'] ?? {}) as Tree)[kind]
  return (
    more.length === 0 &&
    inside !== undefined &&
    treeText(inside, RETURNS) === treeText(tree, RETURNS)
  )
}
