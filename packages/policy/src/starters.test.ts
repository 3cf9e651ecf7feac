import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
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
})
