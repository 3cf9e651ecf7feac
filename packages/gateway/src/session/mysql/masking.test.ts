import { compilePolicy, viewFor } from '@sallyport/policy'
import type { ColumnDefinition } from '@sallyport/protocol-mysql'
import { buildCatalog, MysqlReader } from '@sallyport/sql'
import { expect, test } from 'vitest'
import { DecisionContext } from '../decisions.ts'
import { compileMasks } from './masking.ts'
import { MysqlSessionNames } from './names.ts'
import { MysqlTexts } from './texts.ts'

const POLICY = `version: 1
rules:
  - { name: reads, who: everyone, allow: { effects: [read] } }
masks:
  - columns: [crm.customers.card]
    with: redact
    except: { groups: [dba] }
`
const CATALOG = buildCatalog(
  {
    database: '',
    relations: [
      {
        id: 0,
        schema: 'crm',
        name: 'customers',
        kind: 'table',
        columns: [{ name: 'card', number: 1, type: 'text', typeId: 25 }],
        parents: [],
        rules: false,
        triggers: false,
        rowSecurity: false,
      },
    ],
    serverVersion: 101100,
    functions: [],
    userOperators: [],
  },
  1,
)
const CARD: ColumnDefinition = {
  catalog: 'def',
  schema: 'crm',
  table: 'customers',
  orgTable: 'customers',
  name: 'card',
  orgName: 'card',
  collation: 45,
  length: 100,
  type: 0xfd,
  flags: 0,
  decimals: 0,
  extended: Buffer.alloc(0),
}

function decidedFor(groups: readonly string[]) {
  const compiled = compilePolicy([{ path: 'policy.yaml', text: POLICY }])
  if (compiled.kind !== 'policy') throw new Error(JSON.stringify(compiled.errors))
  const person = { subject: 'ann', kind: 'human', role: null, claims: {} } as const
  const subject = { ...person, groups, graph: null, node: null, run: null }
  const view = viewFor(compiled.policy, subject, 'crm')
  const version = { flavour: 'mariadb', major: 10, minor: 11, patch: 6 } as const
  const names = new MysqlSessionNames(
    { version, charset: 'utf8mb4', collation: 45, database: 'crm' },
    () => true,
  )
  names.answered(['', 'crm', 'utf8mb4'])
  const text = 'SELECT card FROM customers'
  const asked = { bytes: text, text, names, readable: true, now: 0 }
  const texts = new MysqlTexts(new MysqlReader(), () => undefined)
  const { decided } = new DecisionContext(view, CATALOG).decide(texts, asked)
  return { decided, ground: { view, viewId: groups.length, catalog: CATALOG }, keys: [] as never }
}

test('results described alike have the masks of their own statements, whoever came before', () => {
  const [analyst, dba] = [decidedFor([]), decidedFor(['dba'])]
  const columns = [CARD]
  const isMasked = (whose: ReturnType<typeof decidedFor>): boolean =>
    compileMasks(whose, 0, columns, 'text').masks !== null
  const seen = [dba, dba, analyst, analyst, dba, analyst, dba].map(isMasked)
  expect(seen).toEqual([false, false, true, true, false, true, false])
})
