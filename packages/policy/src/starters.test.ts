import { readdirSync, readFileSync } from 'node:fs'
import { buildCatalog, type CatalogData, PostgresReader } from '@sallyport/sql'
import { describe, expect, test } from 'vitest'
import { runPolicyCases } from './cases.ts'
import { CASES_SCHEMA } from './cases-schema.ts'
import { compilePolicy } from './compile.ts'
import { formatPolicyError } from './errors.ts'
import { POLICY_SCHEMA } from './schema.ts'

const folder = new URL('../../../policies/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8')
const starters = readdirSync(folder).filter(
  (name) => name.endsWith('.yaml') && !name.endsWith('.cases.yaml'),
)

describe('policies/', () => {
  test('the published schemas are the ones files are validated with (run scripts/write-schema.ts)', () => {
    expect(JSON.parse(read('schema.json'))).toEqual(JSON.parse(JSON.stringify(POLICY_SCHEMA)))
    expect(JSON.parse(read('cases.schema.json'))).toEqual(JSON.parse(JSON.stringify(CASES_SCHEMA)))
  })

  test.each(starters)('%s loads and has cases', (name) => {
    const result = compilePolicy([{ path: name, text: read(name) }])
    expect(result.kind === 'errors' ? result.errors.map(formatPolicyError) : []).toEqual([])
    expect(read(name.replace('.yaml', '.cases.yaml'))).toContain('cases:')
  })

  test.each(starters)('%s: every case comes out as it says', async (name) => {
    const result = compilePolicy([{ path: name, text: read(name) }])
    if (result.kind === 'errors') throw new Error('does not load')
    const cases = name.replace('.yaml', '.cases.yaml')
    const reader = await PostgresReader.create()
    const report = runPolicyCases(result.policy, {
      files: [{ path: cases, text: read(cases) }],
      analyze: (sql) => reader.analyze(sql, { catalog, names }),
      now: Date.UTC(2026, 0, 5, 9),
    })
    expect(report.errors).toEqual([])
    expect(report.results.filter((one) => !one.passed)).toEqual([])
    expect(report.results.length).toBeGreaterThan(5)
  })
})

const names = {
  searchPath: ['public'],
  temporaries: new Map(),
  temporariesCertain: true,
  prepared: () => undefined,
  cursors: () => undefined,
}

/** The CRM the starter policies speak of, and the catalogs their cases read. */
const catalog = buildCatalog(JSON.parse(read('catalog.json')) as CatalogData, 1)
