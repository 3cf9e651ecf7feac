import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { AuditEvent } from '../event.ts'
import { ONE_OF_EACH, outcome, statement } from '../testing-events.ts'
import { ecsOf } from './ecs.ts'

/** Of the schema's own repository: the fields used here, and which types of events go with a category. */
const SCHEMA = JSON.parse(readFileSync(new URL('./ecs-8.17.0.json', import.meta.url), 'utf8')) as {
  fields: Record<string, { type: string; array?: true; allowed?: string[] }>
  typesOfCategory: Record<string, string[]>
}

const CHECKS: Readonly<Record<string, (value: unknown) => boolean>> = {
  date: (value) => typeof value === 'string' && new Date(value).toISOString() === value,
  keyword: (value) => typeof value === 'string',
  match_only_text: (value) => typeof value === 'string',
  long: (value) => Number.isSafeInteger(value),
  ip: (value) => typeof value === 'string' && /^[\da-f:.]+$/.test(value),
  object: (value) => Object.values(value as object).every((one) => typeof one === 'string'),
}

/** What is wrong with a document. */
function faults(value: object, under = ''): string[] {
  return Object.entries(value).flatMap(([name, one]) => {
    const path = `${under}${name}`
    // What is not of the schema stands under a name of its own.
    if (path === 'sallyport') return []
    const field = SCHEMA.fields[path]
    if (field === undefined) {
      const isSet = typeof one === 'object' && !Array.isArray(one)
      return isSet ? faults(one as object, `${path}.`) : [`${path} is no field`]
    }
    if (Array.isArray(one) !== (field.array === true)) return [`${path} is a list, or is none`]
    return [one].flat().flatMap((each: unknown) => {
      const isRight = CHECKS[field.type]?.(each) === true
      const isAllowed = field.allowed?.includes(String(each)) !== false
      return isRight && isAllowed ? [] : [`${path}: ${JSON.stringify(each)}`]
    })
  })
}

const EVENTS: readonly AuditEvent[] = [
  ...Object.values(ONE_OF_EACH),
  statement({ effects: ['write', 'read'] }),
  statement({ effects: ['ddl'], verdict: 'approve' }),
  { ...ONE_OF_EACH['connection-opened'], client: 'unix' },
]

test.each(EVENTS.map((event) => [event.type, event] as const))(
  'a record of %s has fields of the schema alone, each as it asks',
  (_, event) => {
    const record = { seq: 7, at: 1_767_225_600_000, prev: '0'.repeat(64), event }
    const known = { subject: 'ann', role: 'analyst', client: '10.0.0.1:99', graph: 'support' }
    for (const context of [{}, known]) {
      const said = ecsOf(record, context)
      expect(faults(said)).toEqual([])
      const { category, type } = said['event'] as { category: string[]; type: string[] }
      const expected = category.flatMap((one) => SCHEMA.typesOfCategory[one] ?? [])
      expect(expected).toEqual(expect.arrayContaining(type))
    }
  },
)

test('a refused statement says by whom, through which agent, from where, and why', () => {
  const context = {
    subject: 'ann',
    client: '10.0.0.1:99',
    connection: 'crm',
    graph: 'support',
    node: 'answer',
    run: 'r-17',
  }
  const event = statement({ verdict: 'deny', reason: 'no rule', effects: ['write'] })
  const said = ecsOf({ seq: 7, at: 0, prev: '0'.repeat(64), event }, context)
  expect(said).toMatchObject({
    event: { category: ['database'], type: ['change'], outcome: 'failure', reason: 'no rule' },
    user: { name: 'ann' },
    related: { user: ['ann'], ip: ['10.0.0.1'] },
    source: { ip: '10.0.0.1', port: 99 },
    service: { name: 'crm' },
    labels: { session: 's1', graph: 'support', node: 'answer', run: 'r-17' },
  })
})

test('a statement that waits for approval has neither failed nor succeeded', () => {
  const event = statement({ verdict: 'approve' })
  const said = ecsOf({ seq: 7, at: 0, prev: '0'.repeat(64), event })
  expect(said).toMatchObject({ event: { outcome: 'unknown' } })
})

test('a hold on somebody is the doing of who placed it', () => {
  const said = ecsOf({ seq: 7, at: 0, prev: '0'.repeat(64), event: ONE_OF_EACH['legal-hold'] })
  expect(said).toMatchObject({ user: { name: 'ann' }, related: { user: ['ann', 'bob'] } })
})

test('an outcome says how long it took, in nanoseconds', () => {
  const event = outcome({ statement: 7, micros: 5 })
  const said = ecsOf({ seq: 8, at: 0, prev: '0'.repeat(64), event })
  expect(said).toMatchObject({ event: { duration: 5_000, outcome: 'success' } })
})
