import { EFFECTS } from '@sallyport/sql'
import { describe, expect, test } from 'vitest'
import { compilePolicy } from './compile.ts'
import { formatPolicyError } from './errors.ts'
import { EFFECT_WORDS } from './schema.ts'
import { viewFor } from './view.ts'

const errorsOf = (text: string): string[] => {
  const result = compilePolicy([{ path: 'p.yaml', text }])
  return result.kind === 'errors' ? result.errors.map(formatPolicyError) : []
}
const rule = (body: string) => `version: 1\nrules:\n  - name: r\n    who: everyone\n    ${body}\n`
const mask = (kind: string) => `version: 1\nmasks:\n  - columns: [a.b.c]\n    with: ${kind}\n`

describe('errors point at the line and suggest the word', () => {
  test.each([
    ['rules: []', 'p.yaml:1:1: the key `version` is missing'],
    ['version: 1\nrulez: []', 'did you mean `rules`?'],
    [rule('allow: { effects: [reed] }'), 'p.yaml:5:24: `reed` is not one of'],
    [rule('alow: { effects: [read] }'), 'did you mean `allow`?'],
    [rule('allow: { effects: [read], relation: [a.b] }'), 'did you mean `relations`?'],
    [rule('allow: { effects: [read] }\n    deny: { effects: [read] }'), 'exactly one of'],
    [rule('allow: { commands: [select] }'), 'say what is granted'],
    [
      rule('allow: { effects: [read], relations: [orders] }'),
      'p.yaml:5:43: `orders` is not `schema.table`',
    ],
    [rule('allow: { effects: [read], relations: ["@katalog"] }'), 'expected one of @catalog'],
    [rule('allow: { effects: [read, write], columns: [a.b.c] }'), 'limits what may be read'],
    [rule('deny: { when: "statement.comand == \'x\'" }'), 'No such key: comand'],
    [rule('deny: { when: "statement.command" }'), 'must be true or false'],
    [rule('deny: { when: "1 +" }'), 'syntax'],
    [rule('approve: { effects: [write] }'), 'needs `approvers`'],
    [
      rule('approve: { effects: [write] }\n    approvers: { groups: [a], within: 0s }'),
      'p.yaml:6:39: expected 1s to 7d',
    ],
    [
      rule('approve: { effects: [write] }\n    approvers: { groups: [a], ticket: "(a+)+" }'),
      'p.yaml:6:',
    ],
    [rule('allow: { effects: [read] }\n    mode: return'), '`mode` belongs to an approve rule'],
    [
      rule('allow: { effects: [read] }\n    preview: { rows: 1 }'),
      '`preview` belongs to an approve rule',
    ],
    [
      rule('allow: { effects: [read] }\n    approvers: { groups: [a] }'),
      'belongs to an approve rule',
    ],
    [rule('deny: { relations: [a.b], through-views: true }'), 'always sees through views'],
    [
      `${rule('allow: { effects: [read] }')}  - name: r\n    who: everyone\n    deny: {effects: [read]}`,
      'another rule is also called `r`',
    ],
    [
      rule('allow: { effects: [read] }').replace('everyone', '{ group: [a] }'),
      'did you mean `groups`?',
    ],
    [mask('partal'), 'is not one of'],
    [mask('{ partal: { keep-last: 4 } }'), 'did you mean `partial`?'],
    [mask('{ partial: { keep-last: 4, char: x } }'), 'would look like a value'],
    [mask('{ json: { paths: ["a.b"] } }'), 'is not a path'],
    [
      mask('{ regex: { pattern: "(a+)+", replacement: x } }'),
      'p.yaml:4:31: repetition without bound',
    ],
    ['version: 1\nmasks: [{ columns: [a.b], with: redact }]', 'is not `schema.table.column`'],
    ['version: 1\nlimits: [{ who: everyone, bytes: 5MB }]', 'does not have the form'],
    ['a: [1\nb: 2', 'not valid YAML'],
    ['version: 1\nversion: 1', 'not valid YAML'],
  ])('%#', (text, expected) => {
    const errors = errorsOf(text)
    expect(errors.join('\n')).toContain(expected)
    expect(errors.length).toBeLessThanOrEqual(2)
  })

  test('one bad file refuses the whole policy and names only itself', () => {
    const result = compilePolicy([
      { path: 'good.yaml', text: rule('allow: { effects: [read] }') },
      { path: 'bad.yaml', text: 'version: 2' },
    ])
    expect(
      result.kind === 'errors' && result.errors.every((error) => error.path === 'bad.yaml'),
    ).toBe(true)
  })

  test('an alias bomb is an error', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
      .split('')
      .map((key, i) => `${key}: &${key} [${Array(9).fill(`*${'abcdefg'[i]}`).join(',')}]`)
      .join('\n')}`
    expect(errorsOf(bomb).join()).toContain('not valid YAML')
  })
})

test('the effects of the schema are the effects of the facts', () => {
  expect(EFFECT_WORDS.filter((word) => word !== '*')).toEqual([...EFFECTS])
})

test('the version follows content, not names or comments', () => {
  const version = (text: string, path = 'p.yaml') => {
    const result = compilePolicy([{ path, text }])
    return result.kind === 'policy' ? result.policy.version : null
  }
  const text = rule('allow: { effects: [read] }')
  expect(version(text)).toMatch(/^[0-9a-f]{64}$/)
  expect(version(`# note\n${text}`, 'q.yaml')).toBe(version(text))
  expect(version(text.replace('read', 'write'))).not.toBe(version(text))
})

describe('record', () => {
  const who = (groups: string[]) => ({
    subject: 'ann',
    kind: 'human' as const,
    groups,
    role: null,
    graph: null,
    node: null,
    run: null,
    claims: {},
  })
  const recordingFor = (text: string, groups: string[]) => {
    const result = compilePolicy([{ path: 'p.yaml', text: `version: 1\nrecord:\n${text}` }])
    if (result.kind !== 'policy') throw new Error(result.errors.map((e) => e.message).join())
    return viewFor(result.policy, who(groups), 'crm').recording
  }

  test.each([
    ['- { who: everyone }', { rows: 1_000, bytes: 1_048_576, parameters: true }],
    ['- { who: everyone, rows: all }', { rows: null, bytes: null, parameters: true }],
    ['- { who: everyone, rows: all, bytes: 1KiB }', { rows: null, bytes: 1_024, parameters: true }],
    ['- { who: everyone, rows: none, parameters: false }', { rows: 0, parameters: false }],
    ['- { who: { groups: [dba] } }', null],
    ['- { who: everyone, rows: 5 }\n- { who: { groups: [ops] }, rows: 9 }', { rows: 9 }],
    ['- { who: everyone, rows: 5 }\n- { who: { groups: [dba] }, rows: all }', { rows: 5 }],
  ])('%s', (text, expected) => {
    const recording = recordingFor(text, ['ops'])
    if (expected === null) expect(recording).toBeNull()
    else expect(recording).toMatchObject(expected)
  })
})
