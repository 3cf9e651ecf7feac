import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { ENUM_VALUES, NODE_FIELDS } from './grammar.ts'
import { nodeRole } from './nodes.ts'
import { handlers } from './statements/analyze-statement.ts'
import { survey } from './survey.ts'

// The declarations that the parser's package ships: what the grammar can give.
const require = createRequire(createRequire(import.meta.url).resolve('libpg-query'))
const folder = require.resolve('@pgsql/types').replace(/index\.js$/, '')
const types = readFileSync(`${folder}types.d.ts`, 'utf8')
const enums = readFileSync(`${folder}enums.d.ts`, 'utf8')
/** Of libpg_query itself, not of a parse tree. */
const OUTSIDE = [
  'ParseResult',
  'ScanResult',
  'ScanToken',
  'SummaryResult',
  'Table',
  'Function',
  'FilterColumn',
]
const interfaces = [...types.matchAll(/export interface (\w+) \{([^}]*)\}/g)]
  .map(([, name, body]) => [name!, body!] as const)
  .filter(([name]) => !OUTSIDE.includes(name))

describe('every node of the grammar', () => {
  test.each(interfaces)('%s is listed with all of its fields', (name, body) => {
    expect(nodeRole(name)).toBeDefined()
    const declared = [...body.matchAll(/(\w+)\?:/g)].map((match) => match[1])
    const listed = NODE_FIELDS[name]!.split(' ').flatMap((field) =>
      field === '' ? [] : [field.split(':')[0]],
    )
    expect(listed).toEqual(declared)
  })

  test('that is a statement has a handler', () => {
    const statements = interfaces
      .map(([name]) => name)
      .filter((name) => nodeRole(name) === 'statement')
    expect(statements.filter((name) => !handlers.has(name))).toEqual([])
    expect([...handlers.keys()].filter((name) => nodeRole(name) !== 'statement')).toEqual([])
  })

  test('has all values of its enums listed', () => {
    for (const [name, listed] of Object.entries(ENUM_VALUES)) {
      const declared = enums.match(new RegExp(`export type ${name} = ([^;]+);`))?.[1] ?? ''
      expect(listed.split(' '), name).toEqual([...declared.matchAll(/"([^"]+)"/g)].map((m) => m[1]))
    }
  })
})

describe('what is not listed', () => {
  const cases: readonly [string, object, string][] = [
    ['a node', { SelectStmt: { targetList: [{ NewNode: {} }] } }, 'NewNode'],
    [
      'a node that raw trees never have',
      { SelectStmt: { targetList: [{ OpExpr: {} }] } },
      'OpExpr',
    ],
    ['a field', { SelectStmt: { newClause: [] } }, 'SelectStmt.newClause'],
    ['a value of an enum', { SelectStmt: { op: 'SETOP_NEW' } }, 'SelectStmt.op=SETOP_NEW'],
    ['a node in place of text', { RangeVar: { relname: {} } }, 'RangeVar.relname'],
    ['two types at once', { A_Star: {}, A_Const: {} }, 'node of several types'],
  ]
  test.each(cases)('%s is reported', (_, tree, expected) => {
    expect(survey(tree).unlisted).toEqual([expected])
  })
})
