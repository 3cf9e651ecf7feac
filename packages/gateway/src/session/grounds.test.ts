import { readFileSync } from 'node:fs'
import { compilePolicy, type PrincipalView, type Subject, viewFor } from '@sallyport/policy'
import { describe, expect, test } from 'vitest'
import { needsCatalog } from './grounds.ts'

const SUBJECT: Subject = {
  subject: 'ada',
  kind: 'human',
  groups: ['dba'],
  allGroups: ['dba'],
  role: null,
  graph: null,
  node: null,
  run: null,
  claims: {},
}

function viewOf(text: string): PrincipalView {
  const compiled = compilePolicy([{ path: 'policy.yaml', text }])
  if (compiled.kind === 'errors') throw new Error(JSON.stringify(compiled.errors))
  return viewFor(compiled.policy, SUBJECT, 'crm')
}

const EVERYTHING = readFileSync(
  new URL('../../../../policies/allow-everything.yaml', import.meta.url),
  'utf8',
)
const rules = (...lines: string[]): string =>
  ['version: 1', 'rules:', ...lines.map((line) => `  - ${line}`)].join('\n')

describe('a view needs the schema', () => {
  test.each([
    ['nothing is asked by name', rules(`{ name: a, who: everyone, allow: { effects: [read] } }`)],
    [
      'everything is allowed but for text that is not understood',
      rules(`{ name: a, who: everyone, allow: { effects: ['*'], relations: ['*'] } }`),
    ],
    ['one rule allows everything', EVERYTHING],
    [
      'a narrower allow stands beside one that allows everything',
      `${EVERYTHING}\n  - { name: b, who: everyone, allow: { effects: [read], relations: [public.a] } }`,
    ],
  ])('not when %s', (_when, text) => {
    expect(needsCatalog(viewOf(text))).toBe(false)
  })

  test.each([
    [
      'an allow names relations',
      rules(`{ name: a, who: everyone, allow: { effects: [read], relations: [public.a] } }`),
    ],
    [
      'something is denied by name beside everything',
      `${EVERYTHING}\n  - { name: b, who: everyone, deny: { effects: [read], relations: [public.a] } }`,
    ],
    ['a column is masked', `${EVERYTHING}\nmasks:\n  - { columns: [public.a.b], with: redact }`],
  ])('when %s', (_when, text) => {
    expect(needsCatalog(viewOf(text))).toBe(true)
  })
})
