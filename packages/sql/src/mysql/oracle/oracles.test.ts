/**
 * Table sets against independent parsers, wherever those accept a statement: on the corpora (skipped without
 * SALLYPORT_CORPORA) and on cases that each of them is known to get wrong.
 */
import { describe, expect, test } from 'vitest'
import type { Dialect, Statement } from '../ast.ts'
import { MYSQL, nodesOf } from '../fixtures.ts'
import { parseMysql } from '../parse.ts'
import { CORPORA, CORPORA_FOLDER, dialectOf, load } from '../testing-corpora.ts'
import { KNOWN_ERRORS, loadOracles, type OracleName } from './testing-oracles.ts'

const { oracles, unavailable } = await loadOracles()

/** They take milliseconds for a statement: a part of the corpora, and no long ones. */
const EVERY = 5
const LENGTH_MAX = 400

interface Named {
  readonly kind: 'object-name'
  readonly name: { readonly value: string }
}

function tablesOf(sql: string, dialect: Dialect): Set<string> | null {
  let statements: readonly { readonly statement: Statement }[]
  try {
    statements = parseMysql(sql, dialect)
  } catch {
    return null
  }
  const kinds = ['table', 'explicit-table', 'insert', 'load', 'sequence-value', 'handler'] as const
  const holders = kinds.flatMap((kind) => nodesOf<{ readonly kind: typeof kind }>(statements, kind))
  const names = holders.flatMap((node) => {
    const { name, table, sequence } = node as Partial<Record<'name' | 'table' | 'sequence', Named>>
    return [name, table, sequence].filter((found) => found?.kind === 'object-name')
  })
  return new Set(names.map((found) => (found as Named).name.value.toLowerCase()))
}

function commonTables(sql: string, dialect: Dialect): Set<string> {
  const tables = nodesOf<{ kind: 'common-table'; name: { value: string } }>(
    parseMysql(sql, dialect),
    'common-table',
  )
  return new Set(tables.map(({ name }) => name.value.toLowerCase()))
}

test.skipIf(unavailable.length > 0)(`every oracle can be loaded ${unavailable}`, () => {
  expect([...oracles.keys()].sort()).toEqual(Object.keys(KNOWN_ERRORS).sort())
})

describe.skipIf(CORPORA_FOLDER === '').each([...oracles])('%s', (name, oracle) => {
  test.each(CORPORA)('finds the same tables in %s', { timeout: 180_000 }, (corpus) => {
    const dialect = dialectOf(corpus)
    const different: string[] = []
    let compared = 0
    for (const [i, { sql, class: kind }] of load(corpus).entries()) {
      if (i % EVERY > 0 || !['SELECT', 'DML'].includes(kind) || sql.length > LENGTH_MAX) continue
      const ours = tablesOf(sql, dialect)
      const theirs = ours === null ? null : oracle(sql, dialect.flavour)
      if (ours === null || theirs === null) continue
      compared++
      // Some count common tables, DUAL, and what HANDLER opened, and others do not.
      const common = commonTables(sql, dialect)
      const left = (set: Set<string>) =>
        [...set].filter((table) => table !== 'dual' && !common.has(table)).sort()
      if (/^\s*handler\b/i.test(sql) || left(ours).join() === left(theirs).join()) continue
      if (KNOWN_ERRORS[name].some(([, where]) => where.test(sql))) continue
      different.push(`${[...ours]} | ${[...theirs]} | ${sql}`)
    }
    expect(compared).toBeGreaterThan(20)
    expect(different).toEqual([])
  })
})

describe('what an oracle gets wrong', () => {
  test.each<[OracleName, string, string[]]>([
    ['node-sql-parser', 'SELECT 1 FROM a JOIN (b, c)', ['a', 'b', 'c']],
    ['node-sql-parser', 'UPDATE IGNORE t SET a = 1', ['t']],
    ['node-sql-parser', "LOAD DATA INFILE 'f' INTO TABLE t", ['t']],
    ['node-sql-parser', 'SELECT 1 /*! FROM t */', ['t']],
    ['sqlparser-ts', 'UPDATE IGNORE t SET a = 1', ['t']],
    ['sqlparser-ts', 'DELETE FROM x USING t AS x', ['t']],
  ])('%s: %s', (name, sql, tables) => {
    expect(tablesOf(sql, MYSQL)).toEqual(new Set(tables))
    // When it is mended, its entry among the known errors goes.
    expect(oracles.get(name)?.(sql, 'mysql')).not.toEqual(new Set(tables))
    expect(KNOWN_ERRORS[name].some(([, where]) => where.test(sql))).toBe(true)
  })
})
