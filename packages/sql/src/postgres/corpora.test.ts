/**
 * The reader over statements labelled by real servers. They live outside the project: the folder is named
 * by SALLYPORT_CORPORA, and without it these tests are skipped.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { astVisitor, parse } from 'pgsql-ast-parser'
import { describe, expect, test } from 'vitest'
import type { StatementFacts } from '../facts.ts'
import { fingerprintPostgres } from './fingerprint.ts'
import { catalogOf, NAMES } from './fixtures.ts'
import { PostgresReader } from './reader.ts'

interface Entry {
  readonly sql: string
  readonly class: string
  readonly valid: boolean
  readonly valid_pg18?: boolean
}

const folder = process.env['SALLYPORT_CORPORA'] ?? ''
const STATEMENT_MS_MAX = 50
const context = { catalog: catalogOf([], []), names: NAMES }

function load(name: string): Entry[] {
  const text = gunzipSync(readFileSync(join(folder, `${name}.jsonl.gz`))).toString()
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** What only the session knows: facts are unknown for good reason. */
const SESSION_ONLY = new Set(['prepared statement not known', 'cursor not known'])
/** The server refuses them, too, though its grammar does not. */
const REFUSED_LATER = new Set(['RangeVar not understood where it stands'])

describe.skipIf(folder === '').each(['pg18-regress', 'pg-tools', 'pg-apps'])('%s', (name) => {
  test('valid statements parse, no node is unlisted, none is slow', {
    timeout: 180_000,
  }, async () => {
    const reader = await PostgresReader.create()
    const rejected: string[] = []
    const unknown: string[] = []
    const slow: string[] = []
    for (const entry of load(name)) {
      // Twice where slow: the first run may have met a garbage collection.
      let ms = Number.POSITIVE_INFINITY
      let analysis = reader.analyze('', context)
      for (let run = 0; run < 3 && ms > STATEMENT_MS_MAX; run++) {
        const before = process.cpuUsage()
        analysis = reader.analyze(entry.sql, context)
        ms = process.cpuUsage(before).user / 1000
      }
      if (ms > STATEMENT_MS_MAX) slow.push(entry.sql)
      if (analysis.kind === 'unparsable') {
        if (entry.valid_pg18 ?? entry.valid) rejected.push(`${analysis.message}: ${entry.sql}`)
        expect(analysis.code).toBe('syntax')
        continue
      }
      for (const { unknowns, effects } of analysis.statements) {
        if (!effects.includes('unknown')) continue
        const reasons = unknowns.filter((why) => !SESSION_ONLY.has(why) && !REFUSED_LATER.has(why))
        if (reasons.some((why) => /not listed|of type|understood/.test(why)))
          unknown.push(`${reasons}: ${entry.sql}`)
      }
    }
    expect(rejected).toEqual([])
    expect(unknown).toEqual([])
    expect(slow).toEqual([])
  })
})

describe.skipIf(folder === '')('against pgsql-ast-parser', () => {
  /** Tables that an independent parser finds in a statement. */
  function tablesOf(sql: string): { tables: string[]; ctes: Set<string> } | null {
    try {
      const tables = new Set<string>()
      const ctes = new Set<string>()
      const statements = parse(sql)
      const visitor = astVisitor((map) => ({
        with: (node) => {
          for (const { alias } of node.bind) ctes.add(alias.name)
          map.super().with(node)
        },
        withRecursive: (node) => {
          ctes.add(node.alias.name)
          map.super().withRecursive(node)
        },
        tableRef: (node) => tables.add(node.name),
      }))
      for (const statement of statements) visitor.statement(statement)
      return { tables: [...tables].filter((table) => !ctes.has(table)).sort(), ctes }
    } catch {
      return null
    }
  }

  const ourTables = (statements: readonly StatementFacts[]) =>
    [...new Set(statements.flatMap((facts) => facts.relations.map((use) => use.name)))].sort()

  test('both find the same tables wherever both accept a query', { timeout: 180_000 }, async () => {
    const reader = await PostgresReader.create()
    const different: string[] = []
    let compared = 0
    for (const name of ['pg18-regress', 'pg-apps', 'pg-tools']) {
      for (const { sql, class: kind } of load(name)) {
        // It takes tenths of a second for long texts.
        if (!['SELECT', 'DML'].includes(kind) || sql.length > 400) continue
        const theirs = tablesOf(sql)
        if (theirs === null) continue
        const analysis = reader.analyze(sql, context)
        if (analysis.kind !== 'statements') continue
        compared++
        // A statement's target is never a CTE, as it takes it; sequences named by literals it does not see.
        if (/\b(nextval|setval|currval)\b/i.test(sql)) continue
        const ours = ourTables(analysis.statements).filter((table) => !theirs.ctes.has(table))
        if (ours.join() !== theirs.tables.join())
          different.push(`${ours} | ${theirs.tables} | ${sql}`)
      }
    }
    expect(compared).toBeGreaterThan(1_000)
    expect(different).toEqual([])
  })
})

describe.skipIf(folder === '')('the fingerprint', () => {
  test('gives texts of one key the same facts where no literal matters', {
    timeout: 120_000,
  }, async () => {
    const reader = await PostgresReader.create()
    const known = new Map<string, string>()
    for (const name of ['pg18-regress', 'pg-apps', 'pg-tools']) {
      for (const { sql } of load(name)) {
        const key = fingerprintPostgres(sql)
        if (key === null) continue
        const analysis = reader.analyze(sql, context)
        if (
          analysis.kind !== 'statements' ||
          !analysis.statements.every((facts) => facts.literalIndependent)
        )
          continue
        const facts = JSON.stringify(analysis, (key, value) => (key === 'limit' ? null : value))
        expect(known.get(key) ?? facts, sql).toBe(facts)
        known.set(key, facts)
      }
    }
  })
})
