/**
 * Independent parsers, as second opinions in tests: which tables they find in a statement, null where they
 * refuse it. Where one is known to be wrong, `KNOWN_ERRORS` says how, and why it is not us.
 */
import { createRequire } from 'node:module'
import { init, parse } from '@guanmingchiu/sqlparser-ts'
import nodeSqlParser from 'node-sql-parser'
import type { Dialect } from '../ast.ts'

export type OracleName = 'node-sql-parser' | 'sqlparser-ts' | 'ts-mysql-parser'
export type Oracle = (sql: string, flavour: Dialect['flavour']) => Set<string> | null

/** Kinds of statements, by what an oracle gets wrong in them. */
export const KNOWN_ERRORS: Readonly<
  Record<OracleName, readonly (readonly [why: string, where: RegExp])[]>
> = {
  'node-sql-parser': [
    ['keeps doubled quotes in names', /``/],
    ['drops tables of joins in brackets', /\b(?:join|from|,)\s*\(/i],
    ['does not list the table of LOAD DATA', /^\s*load\b/i],
    [
      'takes IGNORE or LOW_PRIORITY for the table of an UPDATE',
      /^\s*update\s+(?:ignore|low_priority)\b/i,
    ],
    ['lists the alias of an updated table as a table', /^\s*update\b.*\bas\b/is],
    ['knows no sequences', /\b(?:nextval|lastval|setval)\b|\bvalue\s+for\b/i],
    ['takes executable comments for comments', /\/\*M?!/],
  ],
  'sqlparser-ts': [
    [
      'takes IGNORE or LOW_PRIORITY for the table of an UPDATE',
      /^\s*update\s+(?:ignore|low_priority)\b/i,
    ],
    [
      'lists what is deleted as tables: aliases of those it is deleted from',
      /^\s*delete\b.*\busing\b/is,
    ],
    ['knows no sequences', /\b(?:nextval|lastval|setval)\b|\bvalue\s+for\b/i],
    ['takes executable comments for comments', /\/\*M?!/],
  ],
  'ts-mysql-parser': [
    ['reads the first statement of a text only', /;/],
    ['is of a server without sequences', /\b(?:nextval|lastval|setval)\b|\bvalue\s+for\b/i],
    ['knows no comments of MariaDB', /\/\*M?!/],
  ],
}

/** Those that can be loaded; `unavailable` says why another cannot. */
export async function loadOracles(): Promise<{
  readonly oracles: ReadonlyMap<OracleName, Oracle>
  readonly unavailable: readonly string[]
}> {
  await init()
  const oracles = new Map<OracleName, Oracle>([
    ['node-sql-parser', viaNodeSqlParser()],
    ['sqlparser-ts', viaSqlparserTs],
  ])
  const unavailable: string[] = []
  try {
    oracles.set('ts-mysql-parser', viaTsMysqlParser())
  } catch (error) {
    unavailable.push(`ts-mysql-parser: ${error instanceof Error ? error.message : error}`)
  }
  return { oracles, unavailable }
}

function viaNodeSqlParser(): Oracle {
  const parser = new nodeSqlParser.Parser()
  return (sql, flavour) => {
    const database = flavour === 'mysql' ? 'MySQL' : 'MariaDB'
    // `command::database::table`
    const tables = orNull(() => parser.tableList(sql, { database }))
    return (
      tables && named(tables.map((entry) => entry.split('::')[2]).filter((name) => name !== 'null'))
    )
  }
}

/** Its tree is walked by shape: it has many kinds of nodes, and names are in few of them. */
function viaSqlparserTs(sql: string): Set<string> | null {
  const tree = orNull(() => parse(sql, 'mysql') as unknown)
  if (tree === null) return null
  const tables: (string | undefined)[] = []
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const item of node) visit(item)
    else if (typeof node === 'object' && node !== null) {
      const { Table, Insert } = node as Record<string, Record<string, unknown> | undefined>
      if (Array.isArray(Table?.['name'])) tables.push(lastPart(Table['name']))
      if (typeof Table?.['table_name'] === 'string') tables.push(Table['table_name'])
      const target = Insert?.['table'] as { TableName?: unknown } | undefined
      if (Array.isArray(target?.TableName)) tables.push(lastPart(target.TableName))
      for (const value of Object.values(node)) visit(value)
    }
  }
  visit(tree)
  return named(tables)
}

function lastPart(
  parts: readonly { readonly Identifier?: { readonly value: string } }[],
): string | undefined {
  return parts.at(-1)?.Identifier?.value
}

interface TsMysqlParser {
  parse(sql: string): {
    readonly parserError?: unknown
    readonly lexerError?: unknown
    readonly references: { readonly tableReferences: readonly { readonly table: string }[] }
  }
}

function viaTsMysqlParser(): Oracle {
  // Required, not imported: it is CommonJS of a kind that `import` does not see the default of.
  const loaded = createRequire(import.meta.url)('ts-mysql-parser') as {
    default: new (options: { version: string }) => TsMysqlParser
  }
  const parser = new loaded.default({ version: '8.0.30' })
  return (sql) => {
    const result = orNull(() => parser.parse(sql))
    if (result === null || result.parserError !== undefined || result.lexerError !== undefined)
      return null
    return named(
      result.references.tableReferences.map(({ table }) => table.replace(/^`(.*)`$/s, '$1')),
    )
  }
}

function orNull<T>(run: () => T): T | null {
  try {
    return run()
  } catch {
    return null
  }
}

function named(names: readonly (string | undefined)[]): Set<string> {
  return new Set(names.filter((name) => name !== undefined).map((name) => name.toLowerCase()))
}
