/** What statements that completed have changed of their session. */
import type { Catalog, StatementFacts } from '@sallyport/sql'
import type { Holding } from './holding.ts'
import type { MysqlSessionNames } from './names.ts'

export interface TrackingOptions {
  readonly names: MysqlSessionNames
  readonly holding: Holding
  /** A relation may not be what the snapshot says; `ddl`: this session has changed it. */
  readonly catalogDoubted: (ddl: boolean) => void
}

/** Settings that the next statement uses up: what is tried would be it. */
const TAKEN_UP = /^(insert_id|rand_seed[12])$/

/** What was not understood may have changed anything. */
const ANYTHING = { kind: 'uncertain', why: 'not understood' } as const

export class Tracking {
  readonly #options: TrackingOptions
  /** Why nothing may be tried beside what the session has begun. */
  #engaged: string | null = null

  constructor(options: TrackingOptions) {
    this.#options = options
  }

  get engaged(): string | null {
    return this.#engaged
  }

  /** The one at `index` of the text completed; `facts`: null where it was not understood. */
  completed(
    facts: readonly StatementFacts[] | null,
    { own, index }: { readonly own: string; readonly index: number },
    catalog: Catalog | null,
  ): void {
    const { names, holding, catalogDoubted } = this.#options
    holding.moment.completed()
    if (facts?.[index]?.effects.includes('unknown') !== false) holding.apply(ANYTHING)
    if (facts === null) return names.doubt()
    const { command = '', state = [] } = facts[index] ?? {}
    if (mayAssign(facts[index], catalog)) holding.assigned()
    this.#engaged = engagedAfter(command, this.#engaged)
    for (const change of state) {
      names.apply(change, own, index)
      holding.apply(change)
      // DDL commits by itself.
      if (change.kind === 'catalog') catalogDoubted(true)
      if (change.kind === 'set' && TAKEN_UP.test(change.name)) {
        this.#engaged = 'the session has set what its next statement takes up'
      }
    }
  }

  /** COM_RESET_CONNECTION. */
  reset(): void {
    this.#options.names.reset()
    this.#options.holding.reset()
    this.#engaged = null
  }
}

/** May triggers or routines that nobody has read have assigned user variables? */
function mayAssign(facts: StatementFacts | undefined, catalog: Catalog | null): boolean {
  if (facts === undefined || facts.effects.includes('procedural')) return true
  if (facts.functions.some(({ purity }) => purity === 'opaque')) return true
  return facts.relations.some(({ access, kind, schema, name }) => {
    if (access !== 'write' || kind === 'temporary') return false
    return schema === null || catalog?.relation(schema, name)?.triggers !== false
  })
}

/** START TRANSACTION gives back what LOCK TABLES locked, and takes up what SET TRANSACTION said. */
function engagedAfter(command: string, before: string | null): string | null {
  if (command === 'select') return before
  if (/^unlock\b/.test(command)) return null
  if (/^(lock|flush|backup|xa)\b/.test(command)) return 'the session has locked tables'
  return command === 'set transaction' ? 'the session has said how its next transaction is' : before
}
