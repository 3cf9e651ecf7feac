/**
 * Statements that real servers take, without a schema: what parses is understood, and texts of one key have the same
 * facts. See corpora.ts for where the statements are.
 */
import { describe, expect, test } from 'vitest'
import type { StatementFacts } from '../../facts.ts'
import { fingerprintMysql } from '../fingerprint.ts'
import {
  CORPORA,
  CORPORA_FOLDER,
  type Corpus,
  dialectOf,
  type Entry,
  load,
} from '../testing-corpora.ts'
import { analysisOf } from './fixtures.ts'

/** Only known when they run, or in the session they belong to. */
const EXPECTED =
  /^(prepared statement not known|handler not known|text that is put together when it runs|a statement under settings that change how it is read)$/

function analyse(corpus: Corpus, { sql }: Entry) {
  return analysisOf(sql, { catalog: null, dialect: dialectOf(corpus) })
}

const surprises = ({ effects, unknowns }: StatementFacts): readonly string[] =>
  effects.includes('unknown') && !unknowns.some((why) => EXPECTED.test(why)) ? unknowns : []

describe.skipIf(CORPORA_FOLDER === '').each(CORPORA)('%s', (corpus) => {
  test('what parses is understood', { timeout: 120_000 }, () => {
    const missed: string[] = []
    for (const entry of load(corpus)) {
      const analysis = analyse(corpus, entry)
      if (analysis.kind === 'unparsable') {
        if (analysis.code === 'internal') missed.push(`${analysis.message}: ${entry.sql}`)
        continue
      }
      if (!entry.valid) continue
      for (const facts of analysis.statements) {
        for (const why of surprises(facts)) missed.push(`${why}: ${entry.sql}`)
      }
    }
    expect(missed).toEqual([])
  })

  test('texts of one key have the same facts where no literal matters', {
    timeout: 120_000,
  }, () => {
    const known = new Map<string, string>()
    for (const entry of load(corpus)) {
      const key = fingerprintMysql(entry.sql, dialectOf(corpus))
      if (key === null) continue
      const analysis = analyse(corpus, entry)
      if (analysis.kind !== 'statements') continue
      if (!analysis.statements.every((facts) => facts.literalIndependent)) continue
      const facts = JSON.stringify(analysis.statements, (name, value) =>
        name === 'limit' ? null : value,
      )
      expect(known.get(key) ?? facts, entry.sql).toBe(facts)
      known.set(key, facts)
    }
  })
})
