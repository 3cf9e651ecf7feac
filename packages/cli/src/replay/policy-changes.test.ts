import type { AuditRecord, Statement } from '@sallyport/audit'
import { expect, test } from 'vitest'
import { Output } from '../output.ts'
import { CHANGES_MAX, type Decision, PolicyChanges } from './policy-changes.ts'

const REFUSED: Decision = { verdict: 'deny', rule: null, masks: [], reason: 'no rule allows it' }

function statement(fields: Partial<Statement> = {}): Statement {
  return {
    type: 'statement',
    v: 1,
    session: '0f5d3c9a-1111',
    ordinal: 1,
    via: 'simple',
    sql: 'SELECT 1',
    verdict: 'allow',
    rule: 'reads',
    relations: [],
    effects: ['read'],
    masks: [],
    ...fields,
  }
}

function change(seq: number, fields: Partial<Statement>, now: Decision, subject = 'ada') {
  const of = statement(fields)
  // Safe: an event is plain data.
  const event = of as unknown as AuditRecord['event']
  const record = { seq, at: seq * 1_000, prev: '', event }
  return { record, statement: of, now, subject, connection: 'crm' }
}

function printed(changes: PolicyChanges): string {
  const parts: string[] = []
  const stdout = { write: (part: string) => parts.push(part) }
  changes.print(new Output({ stdout, stderr: stdout, env: {} }))
  return parts.join('')
}

test('a statement that was run often is shown once, the newest of it, behind what becomes of how many', () => {
  const changes = new PolicyChanges()
  for (const [seq, subject] of [
    [9, 'ada'],
    [8, 'bob'],
    [7, 'cleo'],
    [6, 'dora'],
    [5, 'ada'],
  ] as const) {
    const sql = `SELECT * FROM t WHERE id = ${seq}`
    changes.take(change(seq, { sql, fingerprint: 'f' }, REFUSED, subject))
  }
  const masks = ['public.t.name']
  changes.take(change(4, {}, { verdict: 'allow', rule: 'reads', masks }))
  changes.take(change(3, {}, { verdict: 'allow', rule: 'reading', masks: [] }))
  changes.take(change(2, {}, { verdict: 'approve', rule: 'asks', masks: [] }))
  changes.take(change(1, { verdict: 'deny' }, { verdict: 'allow', rule: 'reads', masks: [] }))
  expect(printed(changes)).toBe(`5 statements would be refused
1 statement would be held for approval
1 statement would be allowed
1 statement would be masked otherwise
1 statement would be decided by another rule

would be refused
5× SELECT * FROM t WHERE id = 9
   on crm by ada, bob, cleo and 1 more, newest #9 1970-01-01 00:00:09Z 0f5d3c9a
- allow by reads
+ deny by no rule: no rule allows it

would be held for approval
1× SELECT 1
   on crm by ada, newest #2 1970-01-01 00:00:02Z 0f5d3c9a
- allow by reads
+ approve by asks

would be allowed
1× SELECT 1
   on crm by ada, newest #1 1970-01-01 00:00:01Z 0f5d3c9a
- deny by reads
+ allow by reads

would be masked otherwise
1× SELECT 1
   on crm by ada, newest #4 1970-01-01 00:00:04Z 0f5d3c9a
- allow by reads
+ allow by reads, masks public.t.name

would be decided by another rule
1× SELECT 1
   on crm by ada, newest #3 1970-01-01 00:00:03Z 0f5d3c9a
- allow by reads
+ allow by reading
`)
})

test('what is beyond the cap is counted', () => {
  const changes = new PolicyChanges()
  for (let i = 0; i < CHANGES_MAX + 2; i++) changes.take(change(1, { sql: `SELECT ${i}` }, REFUSED))
  const text = printed(changes)
  expect(text).toMatch(new RegExp(`^${CHANGES_MAX + 2} statements would be refused`))
  expect(text).toMatch(/and 2 statements of other kinds\n$/)
})
