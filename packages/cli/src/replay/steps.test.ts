import type { AuditRecord } from '@sallyport/audit'
import type { ShownItem } from '@sallyport/gateway'
import { expect, test } from 'vitest'
import { stepsOf } from './steps.ts'

function statement(seq: number, at: number, verdict: 'allow' | 'deny'): AuditRecord {
  const event = { type: 'statement', v: 1, session: 's', ordinal: seq, via: 'simple', sql: 'x' }
  const decided = { verdict, rule: null, relations: [], effects: [], masks: [] }
  return { seq, at, prev: '', event: { ...event, ...decided } }
}

async function* inOrder(records: readonly AuditRecord[]): AsyncGenerator<AuditRecord> {
  yield* records
}

test('a refusal stands behind the statement it refuses, in front of the next', async () => {
  const report = { severity: 'ERROR', sqlstate: '42501', message: 'no', detail: null, hint: null }
  const shown: ShownItem[] = [
    { at: 12, kind: 'error', report },
    { at: 31, kind: 'columns', columns: [{ name: 'n', type: 23 }] },
    { at: 31, kind: 'row', cells: ['1'] },
    { at: 31, kind: 'complete', tag: 'SELECT 1' },
    { at: 32, kind: 'answered', statement: 2 },
  ]
  const records = inOrder([statement(1, 10, 'deny'), statement(2, 30, 'allow')])
  const steps: unknown[] = []
  for await (const step of stepsOf(records, shown)) {
    if (step.kind === 'statement') steps.push(step.seq)
    if (step.kind === 'result') steps.push([step.at, step.statement, step.ms, step.result.tag])
  }
  expect(steps).toEqual([1, [12, null, null, null], 2, [32, 2, 2, 'SELECT 1']])
})

test('how a statement went is told by its record where the session was not recorded', async () => {
  const went = { type: 'outcome', v: 1, session: 's', statement: 1, status: 'ok', rows: 3 }
  const outcome: AuditRecord = { seq: 2, at: 12, prev: '', event: { ...went, bytes: 9, micros: 5 } }
  const kindsOf = async (shown: ShownItem[] | null): Promise<string[]> => {
    const kinds: string[] = []
    const records = inOrder([statement(1, 10, 'allow'), outcome])
    for await (const { kind } of stepsOf(records, shown)) kinds.push(kind)
    return kinds
  }
  expect(await kindsOf(null)).toEqual(['statement', 'record'])
  expect(await kindsOf([])).toEqual(['statement'])
})
