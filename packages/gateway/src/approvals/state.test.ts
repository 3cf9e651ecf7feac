import { describe, expect, test } from 'vitest'
import { ApprovalError } from './errors.ts'
import { type Approval, type ApprovalEvent, fold, heldUntil, next, statusAt } from './state.ts'
import { decision, requested } from './testing.ts'

const closed = (outcome: 'used' | 'expired' | 'cancelled', binding = 'b1'): ApprovalEvent => ({
  type: 'approval-closed',
  v: 1,
  approval: 'a1',
  outcome,
  ...(outcome === 'used' && { binding }),
})

function play(...events: readonly (readonly [at: number, event: ApprovalEvent])[]): Approval {
  const approval = fold(events.map(([at, event]) => ({ at, event })))
  if (approval === null) throw new Error('no events')
  return approval
}

function codeOf(attempt: () => unknown): string {
  try {
    attempt()
  } catch (error) {
    if (error instanceof ApprovalError) return error.code
    throw error
  }
  return 'happened'
}

const one = requested()
const two = requested({
  approvers: [{ groups: ['dba', 'sec'], subjects: [], count: 2, ticket: null }],
})

describe('people', () => {
  test('as many distinct people as asked for approve', () => {
    const first = play([0, two], [1, decision('ann')])
    expect(first.status.kind).toBe('pending')
    expect(next(first, decision('bob'), 2).status).toEqual({ kind: 'approved', at: 2, until: 1002 })
  })

  test.each<[string, ApprovalEvent, string]>([
    [
      'the requester, whatever the issuer',
      decision('agent', { issuer: 'https://other' }),
      'own-request',
    ],
    ['the requester, as another provider writes the name', decision('Agent '), 'own-request'],
    ['one who has decided, in capitals', decision('ANN'), 'decided-already'],
    ['a machine', decision('robot', { kind: 'machine' }), 'not-a-person'],
    ['somebody else', decision('eve', { groups: ['sales'] }), 'not-an-approver'],
    [
      'one who has decided, through another group',
      decision('ann', { groups: ['sec'] }),
      'decided-already',
    ],
  ])('%s does not count', (_who, event, code) => {
    expect(codeOf(() => next(play([0, two], [1, decision('ann')]), event, 2))).toBe(code)
  })

  test('every requirement must be satisfied; one person may satisfy several', () => {
    const approvers = [
      { groups: ['dba'], subjects: [], count: 1, ticket: null },
      { groups: [], subjects: ['cto'], count: 1, ticket: null },
    ]
    const begun = play([0, requested({ approvers })], [1, decision('ann')])
    expect(begun.status.kind).toBe('pending')
    expect(next(begun, decision('cto', { groups: [] }), 2).status.kind).toBe('approved')
    const both = play([0, requested({ approvers })], [1, decision('cto')])
    expect(both.status.kind).toBe('approved')
  })

  test('the ticket must be of the form asked for, all of it', () => {
    const approvers = [{ groups: ['dba'], subjects: [], count: 1, ticket: 'CHG-[0-9]+' }]
    const begun = play([0, requested({ approvers })])
    const say = (ticket?: string) => decision('ann', ticket === undefined ? {} : { ticket })
    expect(codeOf(() => next(begun, say(), 1))).toBe('ticket-needed')
    expect(codeOf(() => next(begun, say('see CHG-7'), 1))).toBe('ticket-needed')
    expect(next(begun, say('CHG-7'), 1).status.kind).toBe('approved')
    expect(next(begun, decision('ann', { decision: 'deny' }), 1).status.kind).toBe('denied')
  })

  test('one person who denies is enough, also after others approved', () => {
    const no = decision('bob', { decision: 'deny', reason: 'not on Friday' })
    const denied = { kind: 'denied', at: 2, by: 'bob', comment: 'not on Friday' }
    expect(play([0, one], [2, no]).status).toEqual(denied)
    expect(play([0, one], [1, decision('ann')], [2, no]).status).toEqual(denied)
    expect(play([0, two], [1, decision('bob')], [2, no]).status).toEqual(denied)
  })

  test('an approval too many is told so and changes nothing', () => {
    const approved = play([0, one], [1, decision('ann')])
    expect(codeOf(() => next(approved, decision('bob'), 2))).toBe('closed')
  })
})

describe('clocks', () => {
  test('time to decide ends, and nobody decides after it', () => {
    const pending = play([0, one])
    expect(statusAt(pending, 999).kind).toBe('pending')
    expect(statusAt(pending, 1000)).toEqual({ kind: 'expired', at: 1000 })
    expect(codeOf(() => next(pending, decision('ann'), 1000))).toBe('closed')
  })

  test('time to use begins with the approval', () => {
    const approved = play([0, one], [900, decision('ann')])
    expect(statusAt(approved, 1899).kind).toBe('approved')
    expect(codeOf(() => next(approved, closed('used'), 1900))).toBe('closed')
    expect(next(approved, closed('used'), 1899).status.kind).toBe('used')
  })

  test('expiry is recorded once, and not before its time', () => {
    const pending = play([0, one])
    expect(codeOf(() => next(pending, closed('expired'), 999))).toBe('closed')
    const over = next(pending, closed('expired'), 1500)
    expect(over.status).toEqual({ kind: 'expired', at: 1000 })
    expect(codeOf(() => next(over, closed('expired'), 1501))).toBe('closed')
  })
})

describe('use', () => {
  test.each<[string, Approval, ApprovalEvent, string]>([
    ['before anybody decided', play([0, one]), closed('used'), 'not-approved'],
    ['before enough have', play([0, two], [1, decision('ann')]), closed('used'), 'not-approved'],
    [
      'for another statement',
      play([0, one], [1, decision('ann')]),
      closed('used', 'b2'),
      'other-statement',
    ],
    ['twice', play([0, one], [1, decision('ann')], [2, closed('used')]), closed('used'), 'closed'],
    [
      'after it was denied',
      play([0, one], [1, decision('ann', { decision: 'deny' })]),
      closed('used'),
      'closed',
    ],
    [
      'after it was cancelled',
      play([0, one], [1, decision('ann')], [2, closed('cancelled')]),
      closed('used'),
      'closed',
    ],
  ])('not %s', (_when, approval, event, code) => {
    expect(codeOf(() => next(approval, event, 3))).toBe(code)
  })

  test('events of another approval, a second request, or none at all do not fold', () => {
    expect(fold([])).toBeNull()
    expect(codeOf(() => play([0, decision('ann')]))).toBe('unknown-approval')
    expect(codeOf(() => play([0, one], [1, one]))).toBe('out-of-order')
    const other = decision('ann', { approval: 'a2' })
    expect(codeOf(() => play([0, one], [1, other]))).toBe('out-of-order')
  })

  test('an approval that asks for nobody is none', () => {
    const nobody = { groups: ['dba'], subjects: [], count: 0, ticket: null }
    expect(codeOf(() => play([0, requested({ approvers: [] })]))).toBe('out-of-order')
    expect(codeOf(() => play([0, requested({ approvers: [nobody] })]))).toBe('out-of-order')
  })
})

describe('grants', () => {
  const grant = { role: 'writer', forMs: 5_000, breakGlass: false }
  const over: ApprovalEvent = {
    type: 'grant-ended',
    v: 1,
    approval: 'a1',
    by: 'bob',
    reason: 'done',
  }
  const held = play(
    [0, requested({ what: 'grant', grant })],
    [1, decision('ann')],
    [2, closed('used')],
  )

  test('are held from their beginning for as long as they were asked for', () => {
    expect(heldUntil(held, statusAt(held, 3))).toBe(5_002)
    expect(statusAt(held, 5_001).kind).toBe('used')
    expect(statusAt(held, 5_002)).toMatchObject({ kind: 'ended', by: null })
    expect(heldUntil(held, statusAt(held, 5_002))).toBeNull()
  })

  test('are ended once, and only while they are held', () => {
    const ended = next(held, over, 10)
    expect(ended.status).toEqual({ kind: 'ended', at: 10, by: 'bob', why: 'done' })
    expect(codeOf(() => next(ended, over, 11))).toBe('closed')
    expect(codeOf(() => next(held, over, 5_002))).toBe('closed')
    expect(codeOf(() => next(play([0, one], [1, decision('ann')]), over, 2))).toBe('closed')
  })

  test('taken by breaking glass begin undecided; a reviewer who objects ends them', () => {
    const asked = play([0, requested({ what: 'grant', grant: { ...grant, breakGlass: true } })])
    const broken = next(asked, closed('used'), 1)
    expect(broken.status.kind).toBe('used')
    expect(next(broken, decision('ann'), 2).status.kind).toBe('used')
    const denied = next(broken, decision('ann', { decision: 'deny' }), 2)
    expect(denied.status).toMatchObject({ kind: 'ended', by: 'ann' })
    expect(codeOf(() => next(broken, decision('agent'), 2))).toBe('own-request')
    expect(
      codeOf(() => next(play([0, requested({ what: 'grant', grant })]), closed('used'), 1)),
    ).toBe('not-approved')
  })
})
