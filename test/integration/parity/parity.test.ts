import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findMysql } from '../../support/use-mysql.ts'
import { CASES, type Case } from './cases.ts'
import { type Engine, type EngineName, openEngine } from './engines.ts'

/** How each engine says it; the words are the same. */
const REFUSED: Readonly<Record<EngineName, RegExp>> = {
  postgres: /^(42501|SP001)$/,
  mysql: /^(1227|1105)$/,
  mariadb: /^(1227|1105)$/,
}
const WORDS: Readonly<Record<Exclude<Case['verdict'], 'ok'>, RegExp>> = {
  denied: /not allowed|no rule|denied|does not allow/,
  masked: /masked|protected|policy does not allow|may not/,
  'write-back': /looks like its mask/,
  approval: /approval/,
}

const missing = new Map<EngineName, string>()
for (const flavour of ['mysql', 'mariadb'] as const) {
  const found = await findMysql(flavour)
  if ('unavailable' in found) missing.set(flavour, found.unavailable)
}

describe.each(['postgres', 'mysql', 'mariadb'] as const)('one policy on %s', (name) => {
  const why = missing.get(name)
  let engine: Engine
  beforeAll(async () => {
    if (why === undefined) engine = await openEngine(name)
  })
  afterAll(() => engine?.close())

  test.skipIf(why !== undefined)(
    'what is no SQL is the error that the server has for it',
    async () => {
      const seen = await engine.run('agent', 'SELEC 1')
      expect(seen).toMatchObject({ kind: 'error', code: name === 'postgres' ? '42601' : '1064' })
    },
  )

  test.skipIf(why !== undefined).each(CASES)('$as: $name', async (one) => {
    const sql = name === 'postgres' ? one.sql : (one.mysql ?? one.sql)
    const seen = await engine.run(one.as, sql)
    if (one.verdict === 'ok') {
      expect(seen).toMatchObject({ kind: 'rows' })
      const rows = name === 'postgres' ? one.rows : (one.mysqlRows ?? one.rows)
      if (rows !== undefined && seen.kind === 'rows') {
        expect(seen.rows).toEqual(
          rows.map((row) =>
            row.map((cell) => (cell instanceof RegExp ? expect.stringMatching(cell) : cell)),
          ),
        )
      }
      return
    }
    expect(seen).toMatchObject({
      kind: 'error',
      code: expect.stringMatching(REFUSED[name]),
      message: expect.stringMatching(WORDS[one.verdict]),
    })
    // A refusal is an ordinary error: the connection goes on.
    expect(await engine.run(one.as, 'SELECT 7')).toMatchObject({ rows: [['7']] })
  })
})
