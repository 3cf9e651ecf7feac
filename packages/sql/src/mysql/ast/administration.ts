/** Accounts and privileges, maintenance of tables, and statements about the server itself. */
import type { Expression } from './expressions.ts'
import type { Account, Identifier, ObjectName, Option, Span } from './names.ts'

export type AdministrationStatement =
  | AccountStatement
  | RenameUsers
  | Grant
  | TableMaintenance
  | Kill
  | Flush
  | Administer

/** CREATE, ALTER and DROP of USER and ROLE. Credentials are not in the tree. */
export interface AccountStatement extends Span {
  readonly kind: 'account-statement'
  readonly verb: 'create' | 'alter' | 'drop'
  readonly object: 'user' | 'role'
  readonly accounts: readonly Account[]
  /** Upper-case words of what is said about them, without values. */
  readonly options: readonly Option[]
}

export interface RenameUsers extends Span {
  readonly kind: 'rename-users'
  /** Old and new in turn. */
  readonly accounts: readonly Account[]
}

/** GRANT and REVOKE of privileges, roles and PROXY. */
export interface Grant extends Span {
  readonly kind: 'grant'
  readonly verb: 'grant' | 'revoke'
  readonly privileges: readonly Privilege[]
  readonly roles: readonly Account[]
  readonly on: GrantLevel | null
  /** GRANT PROXY ON. */
  readonly proxy: Account | null
  readonly to: readonly Account[]
  readonly options: readonly Option[]
}

export interface Privilege extends Span {
  readonly kind: 'privilege'
  /** Upper-case words: `SELECT`, `ALL PRIVILEGES`, `BACKUP_ADMIN`, ... */
  readonly name: string
  readonly columns: readonly Identifier[]
}

/** `ON *.*`, `ON d.*`, `ON *`, `ON [TABLE|FUNCTION|PROCEDURE] d.t`. */
export interface GrantLevel extends Span {
  readonly kind: 'grant-level'
  readonly object: string | null
  readonly level: 'global' | 'database' | 'current database' | 'object'
  readonly database: Identifier | null
  readonly name: ObjectName | null
}

export interface TableMaintenance extends Span {
  readonly kind: 'table-maintenance'
  readonly action:
    | 'analyze'
    | 'check'
    | 'checksum'
    | 'optimize'
    | 'repair'
    | 'cache index'
    | 'load index'
    | 'import'
  readonly tables: readonly ObjectName[]
  readonly options: readonly Option[]
  /** CHECK VIEW, REPAIR VIEW. */
  readonly views: boolean
}

export interface Kill extends Span {
  readonly kind: 'kill'
  readonly target: 'connection' | 'query' | 'user'
  readonly id: Expression | null
  readonly account: Account | null
}

export interface Flush extends Span {
  readonly kind: 'flush'
  /** Upper-case words: `TABLES`, `PRIVILEGES`, `BINARY LOGS`, ... */
  readonly items: readonly string[]
  readonly tables: readonly ObjectName[]
  readonly options: readonly Option[]
}

/** Everything that only an administrator runs and that names no table: the command is all that matters. */
export interface Administer extends Span {
  readonly kind: 'administer'
  readonly command:
    | 'install plugin'
    | 'install component'
    | 'uninstall plugin'
    | 'uninstall component'
    | 'reset'
    | 'purge logs'
    | 'change replication'
    | 'start replication'
    | 'stop replication'
    | 'start group replication'
    | 'stop group replication'
    | 'binlog'
    | 'clone'
    | 'shutdown'
    | 'restart'
    | 'backup'
    | 'set resource group'
  readonly expressions: readonly Expression[]
  /** Upper-case words. */
  readonly options: readonly Option[]
}
