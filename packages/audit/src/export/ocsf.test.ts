import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { AuditEvent } from '../event.ts'
import type { AuditRecord } from '../record.ts'
import { ONE_OF_EACH, opening, statement } from '../testing-events.ts'
import { Exported } from './formats.ts'
import { ocsfOf } from './ocsf.ts'

interface Shape {
  readonly required: readonly string[]
  readonly atLeastOne: readonly string[]
  /** Name of a type or of an object, `[]` behind it: a list of those. */
  readonly attributes: Readonly<Record<string, string>>
  readonly enums: Readonly<Record<string, readonly number[]>>
}

/** What the schema's own repository asks of the classes and objects used here. */
const SCHEMA = JSON.parse(readFileSync(new URL('./ocsf-1.6.0.json', import.meta.url), 'utf8')) as {
  classes: Record<string, Shape>
  objects: Record<string, Shape>
  types: Record<
    string,
    { type?: string; regex?: string; range?: [number, number]; max_len?: number }
  >
}

/** What is wrong with an event, or an object in one. */
function faults(shape: Shape | undefined, said: object, under: string): string[] {
  if (shape === undefined) return [`${under} is of no known shape`]
  const members = Object.keys(said)
  const lacks = shape.required.filter((one) => !members.includes(one))
  const { atLeastOne } = shape
  const hasOne = atLeastOne.length === 0 || members.some((one) => atLeastOne.includes(one))
  return [
    ...lacks.map((one) => `${under} lacks ${one}`),
    ...(hasOne ? [] : [`${under} has none of ${atLeastOne}`]),
    ...Object.entries(said).flatMap(([name, value]) => memberFaults(shape, [name, value], under)),
  ]
}

function memberFaults(shape: Shape, [name, value]: [string, unknown], under: string): string[] {
  const path = `${under}.${name}`
  const declared = shape.attributes[name]
  if (declared === undefined) return [`${path} is no attribute`]
  if (name === 'unmapped') return []
  if (Array.isArray(value) !== declared.endsWith('[]')) return [`${path} is a list, or is none`]
  const type = declared.replace('[]', '')
  const allowed = shape.enums[name]
  return [value].flat().flatMap((one: unknown) => {
    if (allowed !== undefined && !allowed.includes(one as number)) return [`${path}: ${one}`]
    if (SCHEMA.types[type] !== undefined) return isOf(type, one) ? [] : [`${path}: ${one}`]
    const isObject = typeof one === 'object' && one !== null
    return isObject ? faults(SCHEMA.objects[type], one, path) : [`${path}: ${one}`]
  })
}

function isOf(name: string, value: unknown): boolean {
  const { type = name, regex, range, max_len: max } = SCHEMA.types[name] ?? {}
  if (type === 'integer_t' || type === 'long_t') {
    const [from, to] = range ?? [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]
    return Number.isSafeInteger(value) && Number(value) >= from && Number(value) <= to
  }
  if (typeof value !== 'string' || type !== 'string_t') return false
  if (max !== undefined && value.length > max) return false
  return regex === undefined || new RegExp(regex).test(value)
}

const record = (event: AuditEvent, seq = 7): AuditRecord => ({
  seq,
  at: 1_767_225_600_000,
  prev: '0'.repeat(64),
  event,
})

const EVENTS: readonly AuditEvent[] = [
  ...Object.values(ONE_OF_EACH),
  ...opening('s1', 'ann'),
  statement(),
  statement({ effects: ['write'], verdict: 'approve' }),
  statement({ effects: ['ddl'] }),
  statement({ effects: [] }),
]

test.each(EVENTS.map((event) => [event.type, event] as const))(
  'a record of %s has what its class asks for, each as it asks, and nothing that it does not have',
  (_, event) => {
    const known = { subject: 'ann', client: '10.0.0.1:99', groups: ['dba'], graph: 'support' }
    for (const context of [{}, known, { client: 'unix' }]) {
      const said = ocsfOf(record(event), context)
      expect(faults(SCHEMA.classes[String(said['class_uid'])], said, event.type)).toEqual([])
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
  const refused = ocsfOf(record(ONE_OF_EACH.authentication))
  expect(refused).toMatchObject({ class_uid: 3002, severity_id: 3 })
})

test('what an agent did says through which graph, node and run', () => {
  const exported = new Exported('ocsf')
  exported.pass(record(ONE_OF_EACH['session-started'], 1))
  const said = JSON.parse(exported.line(record(statement({ session: 's1' }), 2)))
  expect(said.metadata.tags).toEqual([
    { name: 'graph', value: 'support' },
    { name: 'node', value: 'answer' },
    { name: 'run', value: 'r-17' },
  ])
  expect(said).toMatchObject({ database: { name: 'crm_live' }, dst_endpoint: { svc_name: 'crm' } })
})
