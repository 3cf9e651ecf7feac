/**
 * Random interleavings of asking (for statements, and for the rest of results), deciding, time, leaving, coming
 * back, restarts and kills. The oracle reads the recorded events by itself: whatever ran had a valid, unused,
 * matching approval, and no two ran on one. With real gateways and one store: test/integration/approvals-killed.test.ts.
 * More of them: SALLYPORT_APPROVAL_RUNS=100000, with --testTimeout.
 */
import type { ApprovalDecided, ApprovalRequested, AuditEvent } from '@sallyport/audit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Approvals } from './approvals.ts'
import type { ApprovalJournal } from './journal.ts'
import { approvalEvents, LocalJournal } from './local-journal.ts'
import { MemoryLog, request, SHOWN } from './testing.ts'
import { Hold } from './wait.ts'

const RUNS = Number(process.env['SALLYPORT_APPROVAL_RUNS'] ?? 2_000)

type Action =
  | {
      readonly kind: 'send'
      readonly what: 'statement' | 'result'
      readonly binding: number
      readonly mode: 'hold' | 'return'
    }
  | {
      readonly kind: 'decide'
      readonly approval: number
      readonly by: number
      readonly yes: boolean
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'leave'; readonly hold: number }
  | { readonly kind: 'turn'; readonly times: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'kill' }

const PEOPLE: readonly Pick<ApprovalDecided, 'by' | 'kind' | 'groups'>[] = [
  { by: 'ann', kind: 'human', groups: ['dba'] },
  { by: 'bob', kind: 'human', groups: ['dba', 'sec'] },
  { by: 'cho', kind: 'human', groups: ['sec'] },
  { by: 'agent', kind: 'human', groups: ['dba'] },
  { by: 'robot', kind: 'machine', groups: ['dba'] },
  { by: 'eve', kind: 'human', groups: ['sales'] },
]
const NEEDED = [{ groups: ['dba', 'sec'], subjects: [], count: 2, ticket: null }]

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      what: fc.constantFrom('statement' as const, 'statement' as const, 'result' as const),
      binding: fc.nat(2),
      mode: fc.constantFrom('hold' as const, 'return' as const),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('decide' as const),
      approval: fc.nat(1),
      by: fc.constantFrom(0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5),
      yes: fc.integer({ min: 0, max: 7 }).map((n) => n > 0),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(400) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), hold: fc.nat(3) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('turn' as const), times: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'kill' as const }) },
)

/** Answers in an order the scheduler chooses; once `killed`, nothing is asked or answered any more. */
function unhurried(
  journal: ApprovalJournal,
  scheduler: fc.Scheduler,
  killed: AbortSignal,
): ApprovalJournal {
  const turn = async (what: string): Promise<void> => {
    await scheduler.schedule(Promise.resolve(), what)
    if (killed.aborted) await new Promise(() => undefined)
  }
  const later = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
    await turn(what)
    const answer = await call()
    await turn(`${what}, answered`)
    return answer
  }
  return {
    append: (stamped, after, shown) => later('append', () => journal.append(stamped, after, shown)),
    events: (approval) => later('events', () => journal.events(approval)),
    shown: (approval) => journal.shown(approval),
    list: () => later('list', () => journal.list()),
    bound: (binding) => later('bound', () => journal.bound(binding)),
    orphans: () => journal.orphans(),
    subscribe: (listener) => journal.subscribe(listener),
    close: () => journal.close(),
  }
}

interface Ran {
  readonly approval: string
  readonly what: 'statement' | 'result'
  readonly binding: string
}

class World {
  readonly ran: Ran[] = []
  readonly log: MemoryLog
  readonly #scheduler: fc.Scheduler
  /** Two gateways over one journal. */
  #gateways: Approvals[] = []
  #holds: Hold[] = []
  #clock = 1_000
  #ids = 0
  #life = new AbortController()

  constructor(scheduler: fc.Scheduler) {
    this.#scheduler = scheduler
    this.log = new MemoryLog(() => this.#clock)
    this.#start()
  }

  #start(): void {
    this.#life = new AbortController()
    this.#holds = []
    const journal = new LocalJournal(
      this.log,
      () => this.#clock,
      approvalEvents(this.log.events as never),
    )
    const make = (): Approvals =>
      new Approvals({
        journal: unhurried(journal, this.#scheduler, this.#life.signal),
        now: () => this.#clock,
        newId: () => `a${++this.#ids}`,
        onError: () => undefined,
      })
    this.#gateways = [make(), make()]
  }

  async act(one: Action): Promise<void> {
    switch (one.kind) {
      case 'send':
        return this.#send(one)
      case 'decide': {
        const known = this.log.events.filter(({ event }) => event.type === 'approval-requested')
        const asked = known.at(-1 - one.approval)?.event as ApprovalRequested | undefined
        const person = PEOPLE[one.by]
        if (asked === undefined || person === undefined) return
        const gateway = this.#gateways[one.by % 2]
        const decision = one.yes ? 'approve' : 'deny'
        const words = { ...person, issuer: 'https://login', decision, reason: '' } as const
        void gateway?.decide(asked.approval, words).catch(() => undefined)
        return
      }
      case 'wait':
        this.#clock += one.ms
        for (const gateway of this.#gateways) void gateway.sweep().catch(() => undefined)
        return
      case 'leave':
        this.#holds.at(-1 - one.hold)?.cancel('left')
        return
      case 'turn':
        for (let i = 0; i < one.times; i++) {
          // What went on after the last answer may have asked the next question by now.
          await new Promise((resolve) => setImmediate(resolve))
          if (this.#scheduler.count() > 0) await this.#scheduler.waitOne()
        }
        return
      case 'restart':
        await this.end()
        this.#start()
        return
      case 'kill':
        // What it was in the middle of stays so: in the log, and nowhere else.
        this.#life.abort()
        await this.end()
        this.#start()
    }
  }

  /** Waits for whatever is still going on. */
  async end(): Promise<void> {
    await this.#scheduler.waitIdle()
    for (const gateway of this.#gateways) await gateway.close()
  }

  #send({ what, binding: number, mode }: Action & { kind: 'send' }): void {
    const gateway = this.#gateways[number % 2]
    if (gateway === undefined) return
    const binding = `${what} ${number}`
    const asked = request({ what, binding, mode, approvers: NEEDED })
    let counted = false
    const hold: Hold = new Hold(gateway, asked, SHOWN, () => {
      const { state } = hold
      if (state.kind !== 'granted' || counted) return
      counted = true
      this.ran.push({ approval: state.approval.id, what, binding })
    })
    this.#holds.push(hold)
  }
}

/** Why this execution was not right; null: it was. By the recorded events alone. */
function fault(
  { approval, what, binding }: Ran,
  log: readonly { at: number; event: AuditEvent }[],
): string | null {
  const own = log.filter(({ event }) => 'approval' in event && event.approval === approval)
  const asked = own[0]?.event
  if (asked?.type !== 'approval-requested') return 'never asked for'
  if (asked.binding !== binding || asked.what !== what) return 'given for something else'
  const used = own.filter(
    ({ event }) => event.type === 'approval-closed' && event.outcome === 'used',
  )
  if (used.length !== 1) return `used ${used.length} times`
  const usedAt = own.indexOf(used[0] as (typeof own)[number])
  const before = own.slice(0, usedAt)
  const yes = new Map<string, number>()
  for (const { at, event } of before) {
    if (event.type === 'approval-closed') return 'closed before it was used'
    if (event.type !== 'approval-decided') continue
    if (event.decision === 'deny') return 'denied before it was used'
    const person = PEOPLE.find(({ by }) => by === event.by)
    const able = person?.groups.some((group) => group === 'dba' || group === 'sec')
    if (person?.kind !== 'human' || !able || event.by === asked.subject) return 'not an approver'
    if (at >= asked.decideBy) return 'decided late'
    if (!yes.has(event.by)) yes.set(event.by, at)
  }
  if (yes.size < 2) return `${yes.size} people`
  const approvedAt = [...yes.values()].sort((a, b) => a - b)[1] ?? Number.NaN
  return (used[0]?.at ?? Number.NaN) < approvedAt + asked.useMs ? null : 'used late'
}

test('nothing runs without a valid, unused, matching approval, and nothing twice on one', async () => {
  let ran = 0
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(action, { minLength: 10, maxLength: 60 }),
      async (scheduler, actions) => {
        const world = new World(scheduler)
        for (const one of actions) await world.act(one)
        await world.end()
        for (const one of world.ran) expect(fault(one, world.log.events)).toBeNull()
        const spent = world.ran.map(({ approval }) => approval)
        expect(new Set(spent).size).toBe(spent.length)
        ran += spent.length
      },
    ),
    { numRuns: RUNS },
  )
  // It would be easy to run nothing wrongly by running nothing.
  expect(ran).toBeGreaterThan(RUNS / 25)
})
