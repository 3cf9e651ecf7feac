/**
 * What the session's names mean right now: search_path, temporary relations, SQL-level prepared statements
 * and cursors, tracked from the statements that completed. Where tracking cannot be sure it says so, and
 * names then resolve to the strictest candidate or the state is read again from the server.
 *
 * Transactions: a change made inside a block is kept with the block; when the block does not commit, what
 * it changed becomes uncertain rather than guessed.
 */
import {
  NO_SCHEMA_CHANGES,
  type SchemaChanges,
  type SessionNames,
  type StateChange,
  type StatementFacts,
  withChange,
} from '@sallyport/sql'

/** A statement that SQL prepared: its facts hold while nothing its text depends on has moved. */
export interface SqlPrepared {
  readonly name: string
  readonly facts: StatementFacts
  /** The text that had the PREPARE in it, and which of its statements that was. */
  readonly text: string
  readonly index: number
}

export interface NameLookups {
  /** Facts of a statement prepared by the protocol's Parse, as it would run now. */
  readonly onWire: (name: string) => StatementFacts | undefined
  /** Would it mean the same now? The server analyses it again when names have moved. */
  readonly stillMeans: (prepared: SqlPrepared) => boolean
}

/** Questions whose answers make an uncertain search_path certain again; none of them takes a snapshot. */
export const STATE_QUESTIONS = [
  'SHOW search_path',
  'SHOW role',
  'SHOW session_authorization',
] as const

/**
 * The session's temporary relations with their columns, as JSON. It takes a snapshot, so it is asked
 * outside of transactions only. Nothing in it is looked up through the search_path.
 */
export const TEMPORARIES_QUESTION = `SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.relname,
  ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute a
    WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0
      AND NOT a.attisdropped ORDER BY a.attnum)))
  FROM pg_catalog.pg_class c
  WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()
    AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v,m,f,p,S}'::pg_catalog."char"[])`

const SQL_PREPARED_MAX = 4096
const TEMPORARIES_MAX = 1024
/** Relations and schemas that one transaction may create or drop with their names staying certain. */
const SCHEMA_CHANGES_MAX = 512

/** Settings that change how text is read; any value but the pinned one makes every later text unknown. */
const READING_SETTINGS: Readonly<Record<string, (value: string) => boolean>> = {
  standard_conforming_strings: (value) => ['on', 'true', 'yes', '1'].includes(value.toLowerCase()),
  client_encoding: (value) => ['utf8', 'unicode', 'utf-8'].includes(value.toLowerCase()),
}

export class TrackedNames implements SessionNames {
  #path: readonly string[] | 'uncertain' = 'uncertain'
  #temporaries = new Map<string, readonly string[] | null>()
  #temporariesCertain = true
  #prepared = new Map<string, SqlPrepared>()
  #cursors = new Map<string, StatementFacts>()
  #readable = true
  /** Something of the open transaction is undone, or ends, with it. */
  #pathTouched = false
  /** The open transaction has set the path, whether or not the server has said to what: its end may undo that. */
  #pathSetInBlock = false
  #createdInBlock = new Set<string>()
  #droppedInBlock = false
  /** Temporary relations that go when it commits. */
  readonly #untilCommit = new Set<string>()
  /** The schema has changed in a way that leaves names uncertain. */
  #catalogTouched = false
  /** And relations may have other columns. */
  #columnsTouched = false
  /** The schema has changed: the snapshot is out of date once this commits. */
  #schemaTouched = false
  #schema: SchemaChanges = NO_SCHEMA_CHANGES
  /** The role may not be the one that logged in: `"$user"` is not known. */
  #roleMoved = false
  #version = 0
  readonly #lookups: NameLookups

  constructor(lookups: NameLookups) {
    this.#lookups = lookups
  }

  /** With relations created or dropped in the open transaction, a name may mean that of another schema. */
  get searchPath(): readonly string[] | 'uncertain' {
    return this.#catalogTouched ? 'uncertain' : this.#path
  }
  get stale(): boolean {
    return this.#columnsTouched
  }
  get schema(): SchemaChanges {
    return this.#schema
  }
  get temporaries(): ReadonlyMap<string, readonly string[] | null> {
    return this.#temporaries
  }
  get temporariesCertain(): boolean {
    return this.#temporariesCertain
  }
  readonly prepared = (name: string): StatementFacts | undefined => {
    const known = this.#prepared.get(name)
    if (known === undefined) return this.#lookups.onWire(name)
    return this.#lookups.stillMeans(known) ? known.facts : undefined
  }
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
    const { searchPath, stale, pending } = this
    return JSON.stringify([
      searchPath,
      stale,
      [...this.#schema.relations],
      [...this.#schema.schemas],
      temporaries,
      this.#temporariesCertain,
      this.#readable,
      pending,
    ])
  }

  /** What SQL has prepared, by name. */
  get preparedTexts(): readonly unknown[] {
    return [...this.#prepared.values()].map(({ name, text, index }) => [name, text, index]).sort()
  }

  /** The open transaction has changed what names mean, and may yet be undone. */
  get pending(): boolean {
    return (
      this.#pathSetInBlock ||
      this.#schemaTouched ||
      this.#droppedInBlock ||
      this.#createdInBlock.size > 0
    )
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
          return this.pending
        case 'set':
          return mattersToNames(change.name)
        default:
          return true
      }
    })
  }

  /** The wire takes a name: what SQL had under it may be gone, and another in its place. */
  taken(what: 'statement' | 'portal', name: string): void {
    if (what === 'statement') this.#prepared.delete(name)
    else this.#cursors.delete(name)
  }

  /** A statement with this change, number `index` of `text`, completed. */
  apply(change: StateChange, text: string, index: number): void {
    switch (change.kind) {
      case 'begin':
      case 'savepoint':
      case 'commit':
      case 'rollback':
      case 'set-variable':
        return
      case 'catalog':
        this.#schemaTouched = true
        if (change.keepsNames !== true) this.#catalogTouched = true
        if (change.keepsNames !== true && change.keepsColumns !== true) this.#columnsTouched = true
        return this.#changed()
      case 'create-relation':
      case 'drop-relation':
      case 'create-schema':
        this.#schemaTouched = true
        // More of them than a migration has: names are looked up among all there are.
        if (this.#schema.relations.size + this.#schema.schemas.size < SCHEMA_CHANGES_MAX)
          this.#schema = withChange(this.#schema, change)
        else this.#catalogTouched = this.#columnsTouched = true
        return this.#changed()
      case 'rollback-to':
        return this.#undone()
      case 'set':
        return this.#set(change)
      case 'uncertain':
        return this.#forgetEverything()
      case 'prepare':
        this.#prepared.delete(change.name)
        if (this.#prepared.size < SQL_PREPARED_MAX) {
          this.#prepared.set(change.name, { name: change.name, facts: change.facts, text, index })
        }
        return this.#changed()
      case 'deallocate':
        if (change.name === null) this.#prepared.clear()
        else this.#prepared.delete(change.name)
        return this.#changed()
      case 'declare-cursor':
        this.#cursors.delete(change.name)
        if (this.#cursors.size < SQL_PREPARED_MAX) this.#cursors.set(change.name, change.facts)
        return this.#changed()
      case 'close-cursor':
        if (change.name === null) this.#cursors.clear()
        else this.#cursors.delete(change.name)
        return this.#changed()
      case 'create-temporary':
        if (change.untilCommit === true) this.#untilCommit.add(change.relation)
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

  /**
   * The transaction block, or implicit transaction, is over. `rolledBack`: it did not commit, or something
   * in it was undone. Returns whether it may have changed the schema.
   */
  transactionEnded(rolledBack: boolean): boolean {
    if (rolledBack) this.#undone()
    else if (this.#pathTouched) this.#setPath('uncertain')
    // Asked first: an empty set makes itself a new table when it is cleared, and this runs for every statement.
    if (this.#untilCommit.size > 0) {
      for (const name of this.#untilCommit) this.#temporaries.delete(name)
      this.#untilCommit.clear()
    }
    const schemaTouched = this.#schemaTouched
    if (this.pending) this.#changed()
    this.#pathTouched = false
    this.#pathSetInBlock = false
    this.#catalogTouched = false
    this.#columnsTouched = false
    this.#schemaTouched = false
    this.#schema = NO_SCHEMA_CHANGES
    if (this.#createdInBlock.size > 0) this.#createdInBlock.clear()
    this.#droppedInBlock = false
    return schemaTouched
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

  /** What to ask for to be certain again; empty when nothing is uncertain. `idle`: outside a transaction. */
  questions(idle: boolean): readonly string[] {
    const temporaries = idle && !this.#temporariesCertain
    if (this.#path !== 'uncertain' && !temporaries) return []
    return temporaries ? [...STATE_QUESTIONS, TEMPORARIES_QUESTION] : STATE_QUESTIONS
  }

  /** Answers to `questions`; null: they could not be had. */
  answered(answers: readonly string[] | null): void {
    const [path, role, session, temporaries] = answers ?? []
    if (temporaries !== undefined) this.#learnTemporaries(temporaries)
    if (path === undefined || role === undefined || session === undefined) return
    // Asked inside a block, the answer is the block's: `#pathTouched` stays, its end makes it uncertain.
    this.#learn(path, role === 'none' ? session : role)
  }

  /**
   * ParameterStatus of search_path (PostgreSQL 18): exact, and sent again when a block is undone.
   * `login`: what `"$user"` stands for, unless the role has been changed.
   */
  reportedPath(setting: string, login: string): void {
    this.#learn(setting, this.#roleMoved ? null : login)
    if (this.#pathTouched) this.#changed()
    this.#pathTouched = false
  }

  #learn(setting: string, user: string | null): void {
    const path = splitPath(setting)
    const known = path !== null && (user !== null || !path.includes('$user'))
    this.#setPath(known ? path.map((s) => (s === '$user' ? (user ?? s) : s)) : 'uncertain')
  }

  #set(change: StateChange & { kind: 'set' }): void {
    if (change.name === 'role' || change.name === 'session_authorization') {
      this.#roleMoved = true
      this.#touchPath('uncertain')
      return
    }
    if (change.name !== 'search_path') return
    const fixed = change.values !== null && !change.values.includes('$user')
    this.#touchPath(fixed && change.values !== null ? change.values : 'uncertain')
  }

  /** `answer`: of TEMPORARIES_QUESTION, empty when there are none. */
  #learnTemporaries(answer: string): void {
    const rows: unknown = answer === '' ? [] : JSON.parse(answer)
    if (!Array.isArray(rows) || rows.length > TEMPORARIES_MAX) return
    this.#temporaries = new Map(rows as [string, string[]][])
    this.#temporariesCertain = true
    this.#changed()
  }

  #createTemporary(relation: string, columns: readonly string[] | null): void {
    if (this.#temporaries.size >= TEMPORARIES_MAX) this.#temporariesCertain = false
    else this.#temporaries.set(relation, columns)
    this.#createdInBlock.add(relation)
    this.#changed()
  }

  #undone(): void {
    if (this.#schema !== NO_SCHEMA_CHANGES) {
      // Which of them are undone is not known.
      this.#schema = NO_SCHEMA_CHANGES
      this.#catalogTouched = true
      this.#columnsTouched = true
      this.#changed()
    }
    if (this.#pathTouched) this.#setPath('uncertain')
    if (!this.#droppedInBlock && this.#createdInBlock.size === 0) return
    if (this.#droppedInBlock) this.#temporariesCertain = false
    for (const name of this.#createdInBlock) this.#temporaries.delete(name)
    this.#changed()
  }

  #forgetEverything(): void {
    this.#roleMoved = true
    this.#touchPath('uncertain')
    this.#temporariesCertain = false
    this.#prepared.clear()
    this.#cursors.clear()
    this.#changed()
  }

  #touchPath(path: readonly string[] | 'uncertain'): void {
    if (!this.#pathTouched) this.#changed()
    this.#pathTouched = true
    this.#pathSetInBlock = true
    this.#setPath(path)
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

/** Does this setting change what names mean, or how text is read? */
function mattersToNames(setting: string): boolean {
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
