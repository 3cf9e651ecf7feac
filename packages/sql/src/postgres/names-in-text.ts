/**
 * What names mean from statement to statement of one text. Each runs only when those before it have completed, so
 * what they change is known where they say it; what is not leaves names uncertain.
 */
import type { StateChange, StatementFacts } from '../facts.ts'
import type { SessionNames } from './context.ts'
import { NO_SCHEMA_CHANGES, type SchemaChanges, withChange } from './schema-changes.ts'

const nothing = (): undefined => undefined

/** A schema's name as `SET search_path` gives it: certainly one name, and not the user's. */
const PLAIN_NAME = /^[a-z_][a-z0-9_]*$/i

type CertainNames = SessionNames & { readonly schema: SchemaChanges }

export class NamesInText {
  #now: CertainNames
  /** As they were when the open transaction began; null: it began before this text and has changed them. */
  #before: CertainNames | null
  /** The path is, or may be, that of the open transaction alone. */
  #localPath: boolean
  /** Temporary relations of the open transaction alone. */
  readonly #untilCommit = new Set<string>()

  constructor(names: SessionNames) {
    const { searchPath, temporaries, temporariesCertain, prepared, cursors } = names
    this.#now = {
      searchPath,
      // The session's own map goes on changing.
      temporaries: new Map(temporaries),
      temporariesCertain,
      prepared,
      cursors,
      schema: names.schema ?? NO_SCHEMA_CHANGES,
      stale: names.stale === true,
    }
    this.#before = names.pending === true ? null : this.#now
    this.#localPath = names.pending === true
  }

  /** For the next statement. */
  get now(): CertainNames {
    return this.#now
  }

  completed({ state }: StatementFacts): void {
    for (const change of state) this.#apply(change)
  }

  #apply(change: StateChange): void {
    const now = this.#now
    switch (change.kind) {
      case 'begin':
      case 'savepoint':
      case 'set-variable':
        return
      case 'commit':
        return this.#committed()
      case 'rollback':
        return this.#rolledBack()
      case 'rollback-to':
        return this.#lose()
      case 'set':
        return this.#set(change)
      case 'prepare':
        return this.#keep({ prepared: found(now.prepared, change.name, judged(change.facts)) })
      case 'deallocate':
        return this.#keep({
          prepared: change.name === null ? nothing : found(now.prepared, change.name, undefined),
        })
      case 'declare-cursor':
        return this.#keep({ cursors: found(now.cursors, change.name, judged(change.facts)) })
      case 'close-cursor':
        return this.#keep({
          cursors: change.name === null ? nothing : found(now.cursors, change.name, undefined),
        })
      case 'create-temporary':
        if (change.untilCommit === true) this.#untilCommit.add(change.relation)
        return this.#move({
          temporaries: new Map([...now.temporaries, [change.relation, change.columns]]),
        })
      case 'drop-temporary':
        return this.#move({
          temporaries: new Map([...now.temporaries].filter(([name]) => name !== change.relation)),
        })
      case 'create-relation':
      case 'drop-relation':
      case 'create-schema':
        return this.#move({ schema: withChange(now.schema, change) })
      case 'catalog':
        // A relation that comes or goes lets a name mean one of another schema.
        if (change.keepsNames === true) return this.#move({})
        return this.#move({
          searchPath: 'uncertain',
          ...(change.keepsColumns !== true && { stale: true }),
        })
      case 'uncertain':
        this.#keep({ cursors: nothing })
        return this.#lose()
      default: {
        const never: never = change
        throw new Error(`unexpected state change ${String(never)}`)
      }
    }
  }

  #keep(names: Partial<CertainNames>): void {
    this.#now = { ...this.#now, ...names }
  }

  /** What is prepared is analysed again by the server when names have moved. */
  #move(names: Partial<CertainNames>): void {
    this.#keep({ ...names, prepared: nothing })
  }

  /** Names may mean anything that there is. */
  #lose(): void {
    this.#move({
      searchPath: 'uncertain',
      temporaries: new Map(),
      temporariesCertain: false,
      stale: this.#now.stale === true || this.#now.schema !== NO_SCHEMA_CHANGES,
    })
    this.#before = null
  }

  #set({ name, local, values }: StateChange & { kind: 'set' }): void {
    if (name !== 'search_path') {
      if (MOVES_NAMES.has(name)) this.#move({ searchPath: 'uncertain' })
      return
    }
    if (local) this.#localPath = true
    const isPlain = values?.every((value) => PLAIN_NAME.test(value)) === true
    this.#move({ searchPath: isPlain ? (values ?? []) : 'uncertain' })
  }

  #committed(): void {
    const { temporaries } = this.#now
    if (this.#before === null) this.#move({ temporaries: new Map(), temporariesCertain: false })
    else if (this.#untilCommit.size > 0) {
      const stay = [...temporaries].filter(([name]) => !this.#untilCommit.has(name))
      this.#move({ temporaries: new Map(stay) })
    }
    if (this.#localPath) this.#move({ searchPath: 'uncertain' })
    this.#keep({ cursors: nothing })
    this.#begun()
  }

  #rolledBack(): void {
    if (this.#before === null) this.#lose()
    else this.#keep({ ...this.#before, prepared: nothing })
    this.#keep({ cursors: nothing })
    this.#begun()
  }

  #begun(): void {
    this.#before = this.#now
    this.#localPath = false
    this.#untilCommit.clear()
  }
}

/** Settings that change what names mean, or how text is read. */
const MOVES_NAMES = new Set([
  'role',
  'session_authorization',
  'standard_conforming_strings',
  'client_encoding',
])

/**
 * What it uses is decided where it stands in this text, by which it may be sent rewritten; with how many values it
 * compares is counted whenever it runs.
 */
function judged({ withholdable: _, sortable: __, ...facts }: StatementFacts): StatementFacts {
  const uses = facts.uses.flatMap(({ inColumns: _, ...use }) =>
    use.context === 'equality-constant' ? use : [],
  )
  return { ...facts, uses }
}

function found(
  otherwise: (name: string) => StatementFacts | undefined,
  name: string,
  facts: StatementFacts | undefined,
): (name: string) => StatementFacts | undefined {
  return (asked) => (asked === name ? facts : otherwise(asked))
}
