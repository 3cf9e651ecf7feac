/**
 * What names and texts mean in a MySQL session: the current database, sql_mode, the character set of texts,
 * temporary tables, prepared statements and open HANDLERs.
 *
 * Sources, the exact first: what the server says of itself (session tracking, status flags, answers to
 * `QUESTION`), then the facts of statements that completed. What neither tells is uncertain, and is asked for.
 */
import {
  type ClientCharset,
  isClientCharset,
  type ServerVersion,
  type SessionChange,
  STATUS,
} from '@sallyport/protocol-mysql'
import type { MysqlNames, StateChange, StatementFacts } from '@sallyport/sql'

const PREPARED_MAX = 4096
const TEMPORARIES_MAX = 1024

/**
 * sql_mode, database and character set. As binary strings: those are not converted to whatever
 * character_set_results is.
 */
export const QUESTION =
  'SELECT CAST(@@session.sql_mode AS BINARY), CAST(CONVERT(DATABASE() USING utf8mb4) AS BINARY), CAST(@@session.character_set_client AS BINARY)'

/** Settings that change what names mean or how texts are read. */
const MATTERS =
  /^(sql_mode|database|names|character_set|character_set_client|charset|session_track_.*|role)$/

const EXECUTES = /\bexecute\b/i

/** As the servers name them. */
function charsetNamed(name: string): ClientCharset | null {
  return name === 'utf8' ? 'utf8mb3' : isClientCharset(name) ? name : null
}

/** Modes under which MariaDB reads another language. */
const FOREIGN_MODE = /(?:^|,)(?:ORACLE|MSSQL|DB2|MAXDB|POSTGRESQL)(?:,|$)/

export interface ServerSide {
  /** Null: the server's version could not be read. */
  readonly version: ServerVersion | null
  readonly charset: ClientCharset
  /** Number of the collation of the client's login. */
  readonly collation: number
  readonly database: string | null
}

export interface Prepared {
  readonly facts: StatementFacts
  /** Where its PREPARE stands: the text, and the number of the statement in it. */
  readonly text: string
  readonly index: number
}

export class MysqlSessionNames implements MysqlNames {
  readonly #server: ServerSide
  #database: string | null
  #sqlMode: string | null = null
  #charset: ClientCharset | null
  #asked = false
  #temporaries = new Map<string, readonly string[] | null>()
  #temporariesCertain = true
  #prepared = new Map<string, Prepared>()
  #handlers = new Map<string, StatementFacts>()
  #version = 0
  /** Status bits that show sql_mode, and what they are under this one. */
  readonly #watchedBits: number
  #expectedBits = 0
  readonly #stillMeans: (prepared: Prepared) => boolean

  constructor(server: ServerSide, stillMeans: (prepared: Prepared) => boolean) {
    this.#server = server
    this.#database = server.database
    this.#charset = server.charset
    this.#watchedBits =
      STATUS.NO_BACKSLASH_ESCAPES | (this.flavour === 'mariadb' ? STATUS.ANSI_QUOTES : 0)
    this.#stillMeans = stillMeans
  }

  get flavour(): 'mysql' | 'mariadb' {
    return this.#server.version?.flavour ?? 'mysql'
  }
  /** As 90704 for 9.7.4. */
  get serverVersion(): number {
    const { major = 0, minor = 0, patch = 0 } = this.#server.version ?? {}
    return major * 10_000 + minor * 100 + patch
  }
  get database(): string | null {
    return this.#database
  }
  get databaseCertain(): boolean {
    return this.#asked
  }
  get sqlMode(): string | null {
    return this.#sqlMode
  }
  get temporaries(): ReadonlyMap<string, readonly string[] | null> {
    return this.#temporaries
  }
  get temporariesCertain(): boolean {
    return this.#temporariesCertain
  }
  /** Of the client's texts; null: one that cannot be read by its bytes. */
  get charset(): ClientCharset | null {
    return this.#charset
  }
  readonly prepared = (name: string): StatementFacts | undefined => {
    const known = this.#prepared.get(name.toLowerCase())
    return known !== undefined && this.#stillMeans(known) ? known.facts : undefined
  }
  readonly handlers = (name: string): StatementFacts | undefined =>
    this.#handlers.get(name.toLowerCase())

  /** The same session as it stood when something was prepared: what names mean there, and how it is read. */
  at({
    database,
    sqlMode,
  }: {
    readonly database: string | null
    readonly sqlMode: string | null
  }): MysqlSessionNames {
    if (database === this.#database && sqlMode === this.#sqlMode) return this
    const other = new MysqlSessionNames({ ...this.#server, database }, this.#stillMeans)
    other.#sqlMode = sqlMode
    other.#expectedBits = this.#expectedBits
    other.#charset = this.#charset
    other.#asked = this.#asked
    other.#temporaries = this.#temporaries
    other.#temporariesCertain = this.#temporariesCertain
    other.#prepared = this.#prepared
    other.#handlers = this.#handlers
    return other
  }

  /** False: the server reads texts by rules that are not known, or not the reader's. */
  get readable(): boolean {
    return this.#sqlMode !== null && this.#charset !== null && !FOREIGN_MODE.test(this.#sqlMode)
  }
  /** Must `QUESTION` be asked before anything can be decided? */
  get unsure(): boolean {
    return !this.#asked
  }
  /** Goes up with every change that can alter what a text means. */
  get version(): number {
    return this.#version
  }
  /** Sessions with equal keys read texts alike. */
  get key(): string {
    return JSON.stringify([
      this.flavour,
      this.serverVersion,
      this.#database,
      this.#asked,
      this.#sqlMode,
      this.#charset,
      [...this.#temporaries],
      this.#temporariesCertain,
    ])
  }

  /** As `key`, for a text that may also execute what only this session has prepared. */
  keyFor(text: string): string {
    if (!EXECUTES.test(text)) return this.key
    const prepared = [...this.#prepared].map(([name, { text, index }]) => [name, text, index])
    return JSON.stringify([this.key, prepared.sort()])
  }

  /** Will the outcome of this statement change what a later text means? */
  isBarrier(statement: StatementFacts): boolean {
    return statement.state.some((change) => {
      switch (change.kind) {
        case 'set':
          return MATTERS.test(change.name)
        case 'begin':
        case 'commit':
        case 'rollback':
        case 'savepoint':
        case 'rollback-to':
        case 'catalog':
        case 'set-variable':
          return false
        default:
          return true
      }
    })
  }

  /** A statement with this change, number `index` of `text`, completed. */
  apply(change: StateChange, text: string, index: number): void {
    switch (change.kind) {
      case 'begin':
      case 'commit':
      case 'rollback':
      case 'savepoint':
      case 'rollback-to':
      case 'catalog':
      case 'create-relation':
      case 'drop-relation':
      case 'create-schema':
      case 'set-variable':
        return
      case 'set':
        if (MATTERS.test(change.name)) this.doubt()
        return
      case 'uncertain':
        this.#temporariesCertain = false
        this.#prepared.clear()
        this.#handlers.clear()
        return this.doubt()
      case 'prepare':
        remember(this.#prepared, change.name.toLowerCase(), { facts: change.facts, text, index })
        return this.#changed()
      case 'deallocate':
        if (change.name === null) this.#prepared.clear()
        else this.#prepared.delete(change.name.toLowerCase())
        return this.#changed()
      case 'declare-cursor':
        remember(this.#handlers, change.name.toLowerCase(), change.facts)
        return this.#changed()
      case 'close-cursor':
        if (change.name === null) this.#handlers.clear()
        else this.#handlers.delete(change.name.toLowerCase())
        return this.#changed()
      case 'create-temporary':
        if (this.#temporaries.size >= TEMPORARIES_MAX) this.#temporariesCertain = false
        else this.#temporaries.set(change.relation, change.columns)
        return this.#changed()
      case 'drop-temporary':
        this.#temporaries.delete(change.relation)
        return this.#changed()
      default: {
        const never: never = change
        throw new Error(`unexpected state change ${String(never)}`)
      }
    }
  }

  /** Something ran of which it is not known what it changed: ask. */
  doubt(): void {
    if (!this.#asked) return
    this.#asked = false
    this.#changed()
  }

  /** COM_RESET_CONNECTION: as after the login, but for the database. */
  reset(): void {
    this.#temporaries.clear()
    this.#temporariesCertain = true
    this.#prepared.clear()
    this.#handlers.clear()
    this.#asked = false
    this.#changed()
  }

  /** The answer to `QUESTION`; null: it could not be had, and nothing is certain. */
  answered(answer: readonly (string | null)[] | null): void {
    const [mode, database, charset] = answer ?? []
    this.#asked = true
    this.#changed()
    if (mode === undefined || mode === null) {
      this.#sqlMode = null
      return
    }
    this.#sqlMode = mode
    const modes = mode.split(',')
    this.#expectedBits =
      (modes.includes('NO_BACKSLASH_ESCAPES') ? STATUS.NO_BACKSLASH_ESCAPES : 0) |
      (modes.includes('ANSI_QUOTES') ? STATUS.ANSI_QUOTES & this.#watchedBits : 0)
    this.#database = database ?? null
    this.#charset = charsetNamed(charset ?? '')
  }

  /** What an OK packet said: exact. */
  reported(changes: readonly SessionChange[]): void {
    for (const change of changes) {
      if (change.kind === 'schema') {
        const database = change.name === '' ? null : change.name
        if (database !== this.#database) {
          this.#database = database
          this.#changed()
        }
      } else if (change.kind === 'variable' && MATTERS.test(change.name)) {
        this.#variable(change.name, change.value)
      }
    }
  }

  #variable(name: string, value: string): void {
    if (name === 'sql_mode' && value !== this.#sqlMode) this.doubt()
    if (name === 'character_set_client' && charsetNamed(value) !== this.#charset) this.doubt()
  }

  /** Status bits of a reply: some of sql_mode shows in them. */
  status(bits: number): void {
    if (!this.#asked || this.#sqlMode === null) return
    if ((bits & this.#watchedBits) !== this.#expectedBits) this.doubt()
  }

  #changed(): void {
    this.#version++
  }
}

/** At the cap nothing is added: the name then stands for nothing that is known. */
function remember<T>(map: Map<string, T>, name: string, value: T): void {
  map.delete(name)
  if (map.size < PREPARED_MAX) map.set(name, value)
}

/** Does this change names or reading so that what follows in the same text means something else? */
export function movesNames(statement: StatementFacts): boolean {
  return statement.state.some(
    (change) => change.kind === 'uncertain' || (change.kind === 'set' && MATTERS.test(change.name)),
  )
}
