import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { AuditEvent } from '../event.ts'
import type { AuditRecord } from '../record.ts'
import { opening, outcome, statement } from '../testing-events.ts'
import { Exported } from './formats.ts'
import { ocsfOf } from './ocsf.ts'

interface Shape {
  readonly required: readonly string[]
  readonly atLeastOne: readonly string[]
  readonly attributes: readonly string[]
}

/** What the schema's own repository asks of the classes and objects used here. */
const SCHEMA = JSON.parse(readFileSync(new URL('./ocsf-1.6.0.json', import.meta.url), 'utf8')) as {
  classes: Record<string, Shape & { activities: number[] }>
  objects: Record<string, Shape>
}
/** Members that are objects of the schema under another name. */
const OBJECTS: Readonly<Record<string, string>> = {
  src_endpoint: 'network_endpoint',
  app: 'product',
}

function check(name: string, shape: Shape | undefined, value: Record<string, unknown>): void {
  if (shape === undefined) return
  const members = Object.keys(value)
  expect(
    shape.required.filter((one) => !members.includes(one)),
    `${name} lacks`,
  ).toEqual([])
  expect(
    members.filter((one) => !shape.attributes.includes(one)),
    `${name} has`,
  ).toEqual([])
  if (shape.atLeastOne.length > 0) {
    expect(
      members.some((one) => shape.atLeastOne.includes(one)),
      `${name}: at least one`,
    ).toBe(true)
  }
  for (const [member, inner] of Object.entries(value)) {
    if (member === 'unmapped' || typeof inner !== 'object' || inner === null) continue
    const one = OBJECTS[member] ?? member
    if (!Array.isArray(inner)) check(one, SCHEMA.objects[one], inner as Record<string, unknown>)
  }
}

const record = (event: AuditEvent, seq = 7): AuditRecord => ({
  seq,
  at: 1_767_225_600_000,
  prev: '0'.repeat(64),
  event,
})

const EVENTS: readonly AuditEvent[] = [
  ...opening('s1', 'ann'),
  statement({ fingerprint: 'ab' }),
  statement({ effects: ['write'], verdict: 'deny', code: 'not-allowed', reason: 'no rule' }),
  statement({ effects: ['ddl'] }),
  statement({ effects: [] }),
  outcome({ statement: 3, status: 'error', sqlstate: '57014' }),
  { type: 'session-ended', v: 1, session: 's1', reason: 'client left' },
  { type: 'log-started', v: 1, keyId: 'k', previous: 'none' },
  { type: 'log-stopped', v: 1 },
  { type: 'log-failed', v: 1, code: 'ENOSPC', since: 1, refused: 2 },
  { type: 'trail-read', v: 1, actor: 'ann', action: 'search', query: '{}' },
  { type: 'policy-loaded', v: 1, version: 'x', files: [], rules: 1, masks: 0 },
  { type: 'token-revoked', v: 1, tokenId: 't', by: 'ann', reason: 'left' },
  { type: 'cancel', v: 1, session: 's1', source: 'client' },
  {
    type: 'authentication',
    v: 1,
    session: 's2',
    outcome: 'refused',
    code: 'expired',
    connection: 'crm',
  },
]

test.each(EVENTS.map((event) => [event.type, event] as const))(
  'a record of %s has what its class asks for, and nothing that the class does not have',
  (_, event) => {
    for (const context of [{}, { subject: 'ann', client: '10.0.0.1:99', groups: ['dba'] }]) {
      const said = ocsfOf(record(event), context)
      const shape = SCHEMA.classes[String(said['class_uid'])]
      check(event.type, shape, said)
      expect(shape?.activities).toContain(said['activity_id'])
      expect(said['type_uid']).toBe(Number(said['class_uid']) * 100 + Number(said['activity_id']))
    }
  },
)

test('a statement says who ran it and from where, as its session began', () => {
  const exported = new Exported('ocsf')
  const [opened, ...rest] = opening('s1', 'ann')
  const lines = [opened, ...rest, statement({ session: 's1' })].flatMap((event, at) =>
    event === undefined ? [] : [JSON.parse(exported.line(record(event, at + 1)))],
  )
  expect(lines.at(-1)).toMatchObject({
    class_uid: 6005,
    activity_id: 4,
    actor: { user: { name: 'ann', groups: [{ name: 'analysts' }] }, session: { uid: 's1' } },
    src_endpoint: { ip: '127.0.0.1', port: 1 },
    database: { name: 'crm' },
    status_id: 1,
    query_info: { query_string: 'SELECT name FROM customers' },
    unmapped: { sallyport: { seq: 4 } },
  })
})

test('a refused statement and a refused login stand out', () => {
  const denied = ocsfOf(record(statement({ verdict: 'deny' })))
  expect(denied).toMatchObject({ severity_id: 3, status_id: 2 })
  const refused = EVENTS.at(-1)
  expect(refused && ocsfOf(record(refused))).toMatchObject({ class_uid: 3002, severity_id: 3 })
})
