/**
 * What the session's names mean right now: search_path, temporary relations, SQL-level prepared statements
 * and cursors, tracked from the statements that completed. Where tracking cannot be sure it says so, and
 * names then resolve to the strictest candidate or the state is read again from the server.
 *
 * Transactions: a change made inside a block is kept with the block; when the block does not commit, what
 * it changed becomes uncertain rather than guessed.
 */
import type { SessionNames, StateChange, StatementFacts } from '@sallyport/sql'

/** Questions whose answers make an uncertain search_path certain again; none of them takes a snapshot. */
export const STATE_QUESTIONS = [
  'SHOW search_path',
  'SHOW role',
  'SHOW session_authorization',
] as const

const SQL_PREPARED_MAX = 4096
const TEMPORARIES_MAX = 1024

/** Settings that change how text is read; any value but the pinned one makes every later text unknown. */
const READING_SETTINGS: Readonly<Record<string, (value: string) => boolean>> = {
  standard_conforming_strings: (value) => ['on', 'true', 'yes', '1'].includes(value.toLowerCase()),
  client_encoding: (value) => ['utf8', 'unicode', 'utf-8'].includes(value.toLowerCase()),
}

export class TrackedNames implements SessionNames {
  #path: readonly string[] | 'uncertain' = 'uncertain'
  #temporaries = new Map<string, readonly string[] | null>()
  #temporariesCertain = true
  #prepared = new Map<string, StatementFacts>()
  #cursors = new Map<string, StatementFacts>()
  #readable = true
  /** Something of the open transaction is undone, or ends, with it. */
  #pathTouched = false
  #createdInBlock = new Set<string>()
  #droppedInBlock = false
  #version = 0
  readonly #onWire: (name: string) => StatementFacts | undefined

  /** `onWire`: facts of a statement prepared by the protocol's Parse. */
  constructor(onWire: (name: string) => StatementFacts | undefined) {
    this.#onWire = onWire
  }

  get searchPath(): readonly string[] | 'uncertain' {
    return this.#path
  }
  get temporaries(): ReadonlyMap<string, readonly string[] | null> {
    return this.#temporaries
  }
  get temporariesCertain(): boolean {
    return this.#temporariesCertain
  }
  readonly prepared = (name: string): StatementFacts | undefined =>
    this.#prepared.get(name) ?? this.#onWire(name)
  readonly cursors = (name: string): StatementFacts | undefined => this.#cursors.get(name)

  /** False: the server reads text by other rules than ours (string escapes, encoding). */
  get readable(): boolean {
    return this.#readable
  }
  /** Goes up with every change that can alter what a text means. */
  get version(): number {
    return this.#version
  }
  /** Sessions with equal keys read texts alike. */
  get key(): string {
    const temporaries = [...this.#temporaries].map(([name, columns]) => [name, columns])
    return JSON.stringify([this.#path, temporaries, this.#temporariesCertain, this.#readable])
  }

  /** Will the outcome of this statement change what a later text means? */
  isBarrier(statement: StatementFacts): boolean {
    return statement.state.some((change) => {
      switch (change.kind) {
        case 'begin':
        case 'savepoint':
          return false
        case 'commit':
        case 'rollback':
        case 'rollback-to':
          return this.#pathTouched || this.#createdInBlock.size > 0 || this.#droppedInBlock
        case 'set':
          return matters(change.name)
        default:
          return true
      }
    })
  }

  /** A statement with this change completed. */
  apply(change: StateChange): void {
    switch (change.kind) {
      case 'begin':
      case 'savepoint':
      case 'commit':
      case 'rollback':
      case 'catalog':
        return
      case 'rollback-to':
        return this.#undone()
      case 'set':
        return this.#set(change)
      case 'uncertain':
        return this.#forgetEverything()
      case 'prepare':
        if (this.#prepared.size < SQL_PREPARED_MAX) this.#prepared.set(change.name, change.facts)
        return this.#changed()
      case 'deallocate':
        if (change.name === null) this.#prepared.clear()
        else this.#prepared.delete(change.name)
        return this.#changed()
      case 'declare-cursor':
        if (this.#cursors.size < SQL_PREPARED_MAX) this.#cursors.set(change.name, change.facts)
        return this.#changed()
      case 'close-cursor':
        if (change.name === null) this.#cursors.clear()
        else this.#cursors.delete(change.name)
        return this.#changed()
      case 'create-temporary':
        return this.#createTemporary(change.relation, change.columns)
      case 'drop-temporary':
        this.#temporaries.delete(change.relation)
        this.#droppedInBlock = true
        return this.#changed()
      default: {
        const never: never = change
        throw new Error(`unexpected state change ${String(never)}`)
      }
    }
  }

  /** The transaction block, or implicit transaction, is over. `rolledBack`: it did not commit. */
  transactionEnded(rolledBack: boolean): void {
    if (rolledBack) this.#undone()
    else if (this.#pathTouched) this.#setPath('uncertain')
    this.#pathTouched = false
    this.#createdInBlock.clear()
    this.#droppedInBlock = false
  }

  /** The server's own word (ParameterStatus): exact, and at any time. */
  reported(name: string, value: string): void {
    const reads = READING_SETTINGS[name]
    if (reads === undefined) return
    const readable = reads(value)
    if (readable === this.#readable) return
    this.#readable = readable
    this.#changed()
  }

  /** Answers to STATE_QUESTIONS; null: they could not be had. */
  answered(answers: readonly string[] | null): void {
    const [path, role, session] = answers ?? []
    if (path === undefined || role === undefined || session === undefined) return
    this.learnPath(path, role === 'none' ? session : role)
  }

  /** `setting`: search_path as the server prints it; `user`: what `"$user"` stands for. */
  learnPath(setting: string, user: string): void {
    const path = splitPath(setting)
    this.#setPath(path === null ? 'uncertain' : path.map((s) => (s === '$user' ? user : s)))
    this.#pathTouched = false
  }

  #set(change: StateChange & { kind: 'set' }): void {
    if (change.name === 'role' || change.name === 'session_authorization') {
      this.#setPath('uncertain')
      return
    }
    if (change.name !== 'search_path') return
    const fixed = change.values !== null && !change.values.includes('$user')
    this.#setPath(fixed && change.values !== null ? change.values : 'uncertain')
    this.#pathTouched = true
  }

  #createTemporary(relation: string, columns: readonly string[] | null): void {
    if (this.#temporaries.size >= TEMPORARIES_MAX) this.#temporariesCertain = false
    else this.#temporaries.set(relation, columns)
    this.#createdInBlock.add(relation)
    this.#changed()
  }

  #undone(): void {
    if (this.#pathTouched) this.#setPath('uncertain')
    if (this.#droppedInBlock) this.#temporariesCertain = false
    for (const name of this.#createdInBlock) this.#temporaries.delete(name)
    this.#changed()
  }

  #forgetEverything(): void {
    this.#setPath('uncertain')
    this.#temporariesCertain = false
    this.#prepared.clear()
    this.#cursors.clear()
    this.#changed()
  }

  #setPath(path: readonly string[] | 'uncertain'): void {
    const before = this.#path
    const same =
      before !== 'uncertain' && path !== 'uncertain' && before.join('\0') === path.join('\0')
    this.#path = path
    if (!same) this.#changed()
  }

  #changed(): void {
    this.#version++
  }
}

function matters(setting: string): boolean {
  return (
    setting === 'search_path' ||
    setting === 'role' ||
    setting === 'session_authorization' ||
    setting in READING_SETTINGS
  )
}

/** SplitIdentifierString (varlena.c): comma-separated identifiers, double quotes keep case. Null: not that. */
export function splitPath(setting: string): string[] | null {
  const parts: string[] = []
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^\s,"]+))\s*(,|$)/y
  if (setting.trim() === '') return []
  for (;;) {
    const match = pattern.exec(setting)
    if (match === null) return null
    const [, quoted, plain, separator] = match
    parts.push(quoted !== undefined ? quoted.replaceAll('""', '"') : (plain ?? '').toLowerCase())
    if (separator === '') return parts
  }
}
