/**
 * Which comments the server runs. `/*!` and MariaDB's `/*M!` may carry a version of five or six digits right after
 * the mark; what is no version is SQL.
 */
import { isDigit, isSpace } from './characters.ts'

/** Versions that only MySQL has had: MariaDB ignores `/*!` comments for these. */
const MYSQL_ONLY_FROM = 50700
const MYSQL_ONLY_TO = 99999

export type BlockComment =
  /** Ends there; -1: it does not end. */
  | { readonly kind: 'plain'; readonly end: number }
  /** What it says is SQL, from there to the next mark of the end that is not within a token. */
  | { readonly kind: 'executable'; readonly body: number }

/** What the comment at `at` is, where `/` and `*` stand. */
export function blockComment(
  sql: string,
  at: number,
  server: { readonly flavour: 'mysql' | 'mariadb'; readonly version: number },
): BlockComment {
  const body = executableBody(sql, at, server.flavour)
  if (body === -1) return { kind: 'plain', end: endOfPlain(sql, at + 2) }
  const digits = versionDigits(sql, body, server.flavour)
  if (digits === 0) return { kind: 'executable', body }
  const version = Number(sql.slice(body, body + digits))
  const forMariadbOnly = sql.charCodeAt(at + 2) === 77
  const runs =
    version <= server.version &&
    (server.flavour === 'mysql' ||
      forMariadbOnly ||
      version < MYSQL_ONLY_FROM ||
      version > MYSQL_ONLY_TO)
  if (runs) return { kind: 'executable', body: body + digits }
  return { kind: 'plain', end: endOfSkipped(sql, body) }
}

/** Offset after `/*!` or MariaDB's `/*M!`, -1 for a plain comment. */
function executableBody(sql: string, at: number, flavour: 'mysql' | 'mariadb'): number {
  if (sql.charCodeAt(at + 2) === 33) return at + 3
  const marked = sql.charCodeAt(at + 2) === 77 && sql.charCodeAt(at + 3) === 33
  return marked && flavour === 'mariadb' ? at + 4 : -1
}

/**
 * How many digits are the version: 0 where there are fewer than five. MariaDB takes a sixth; MySQL only with
 * white space behind it, else the sixth is SQL.
 */
function versionDigits(sql: string, at: number, flavour: 'mysql' | 'mariadb'): 0 | 5 | 6 {
  for (let i = 0; i < 5; i++) if (!isDigit(sql.charCodeAt(at + i))) return 0
  if (!isDigit(sql.charCodeAt(at + 5))) return 5
  return flavour === 'mariadb' || isSpace(sql.charCodeAt(at + 6)) ? 6 : 5
}

function endOfPlain(sql: string, at: number): number {
  const end = sql.indexOf('*/', at)
  return end === -1 ? -1 : end + 2
}

/** A comment that a version keeps from running may have plain comments inside, one level of them. */
function endOfSkipped(sql: string, at: number): number {
  for (;;) {
    const end = sql.indexOf('*/', at)
    if (end === -1) return -1
    const inner = sql.indexOf('/*', at)
    if (inner === -1 || inner > end) return end + 2
    at = endOfPlain(sql, inner + 2)
    if (at === -1) return -1
  }
}
