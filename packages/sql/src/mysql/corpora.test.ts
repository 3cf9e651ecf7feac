/**
 * How much of what real servers take is parsed: by class, and nothing slow. Prints the rates. The folder of the
 * statements is named by SALLYPORT_CORPORA; without it this is skipped.
 */
import { describe, expect, test } from 'vitest'
import { SqlError } from './errors.ts'
import { fingerprintMysql } from './fingerprint.ts'
import { lex } from './lex/lexer.ts'
import { parseMysql } from './parse.ts'
import {
  CORPORA,
  CORPORA_FOLDER,
  type Corpus,
  dialectOf,
  type Entry,
  load,
} from './testing-corpora.ts'

const STATEMENT_MS_MAX = 50

/** Percent of what the server takes that has to parse. */
const GATES: Readonly<Record<string, { readonly queries: number; readonly all: number }>> = {
  suite: { queries: 99.5, all: 99.5 },
  tools: { queries: 100, all: 100 },
  apps: { queries: 99.5, all: 99 },
}

function parses(corpus: Corpus, { sql }: Entry): boolean {
  try {
    parseMysql(sql, dialectOf(corpus))
    return true
  } catch (error) {
    // Anything else is a fault of ours.
    if (error instanceof SqlError) return false
    throw error
  }
}

/** Processor time, the best of five: a run may meet a garbage collection, and others use the machine. */
function milliseconds(run: () => unknown): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5 && best > STATEMENT_MS_MAX; round++) {
    const before = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / 1000)
  }
  return best
}

class Rates {
  readonly #classes = new Map<string, { taken: number; parsed: number }>()
  readonly #invalid = { all: 0, parsed: 0 }

  add(entry: Entry, parsed: boolean): void {
    if (!entry.valid) {
      this.#invalid.all++
      if (parsed) this.#invalid.parsed++
      return
    }
    const of = this.#classes.get(entry.class) ?? { taken: 0, parsed: 0 }
    this.#classes.set(entry.class, { taken: of.taken + 1, parsed: of.parsed + (parsed ? 1 : 0) })
  }

  percent(...classes: readonly string[]): number {
    const counted = [...this.#classes].filter(
      ([name]) => classes.length === 0 || classes.includes(name),
    )
    const taken = counted.reduce((sum, [, of]) => sum + of.taken, 0)
    const parsed = counted.reduce((sum, [, of]) => sum + of.parsed, 0)
    return (100 * parsed) / taken
  }

  toString(): string {
    const classes = [...this.#classes.keys()].sort()
    const rates = classes.map((name) => `${name} ${this.percent(name).toFixed(2)} %`)
    const { all, parsed } = this.#invalid
    return `all ${this.percent().toFixed(2)} % (${rates.join(', ')}); of ${all} invalid ones ${parsed} parse`
  }
}

describe.skipIf(CORPORA_FOLDER === '').each(CORPORA)('%s', (corpus) => {
  test('what the server takes parses, and nothing is slow', { timeout: 120_000 }, () => {
    const rates = new Rates()
    const slow: string[] = []
    for (const entry of load(corpus)) {
      let parsed = false
      const ms = milliseconds(() => {
        parsed = parses(corpus, entry)
      })
      rates.add(entry, parsed)
      if (ms > STATEMENT_MS_MAX) slow.push(entry.sql)
    }
    console.log(`${corpus}: ${rates}`)
    const gate = GATES[corpus.split('-')[1] as string] as (typeof GATES)[string]
    expect(rates.percent('SELECT', 'DML')).toBeGreaterThanOrEqual(gate.queries)
    expect(rates.percent()).toBeGreaterThanOrEqual(gate.all)
    expect(slow).toEqual([])
  })

  test('what is sent reads as what was parsed', { timeout: 120_000 }, () => {
    const dialect = dialectOf(corpus)
    const shape = (sql: string) =>
      lex(sql, dialect).map(({ type, key, value }) => [type, key, value])
    for (const { sql } of load(corpus)) {
      let statements: ReturnType<typeof parseMysql>
      try {
        statements = parseMysql(sql, dialect)
      } catch {
        continue
      }
      const sent = statements
        .filter(({ statement }) => statement.kind !== 'empty')
        .map(({ text }) => text)
      // Semicolons between and behind are all that is left out.
      const without = (tokens: ReturnType<typeof shape>) => tokens.filter(([, key]) => key !== ';')
      expect(without(shape(sent.join(';'))), sql).toEqual(without(shape(sql)))
    }
  })

  test('texts of one key have one tree but for literals', { timeout: 120_000 }, () => {
    const dialect = dialectOf(corpus)
    const known = new Map<string, string>()
    for (const { sql } of load(corpus)) {
      const key = fingerprintMysql(sql, dialect)
      if (key === null) continue
      let tree = ''
      try {
        tree = JSON.stringify(parseMysql(sql, dialect), (name, value) => {
          if (name === 'start' || name === 'end' || name === 'text') return undefined
          return value?.kind === 'literal' ? [value.type, value.charset] : value
        })
      } catch (error) {
        expect(error).toBeInstanceOf(SqlError)
      }
      expect(known.get(key) ?? tree, sql).toBe(tree)
      known.set(key, tree)
    }
  })
})
