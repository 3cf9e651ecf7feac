/** What a server says it is. */

export type Flavour = 'mysql' | 'mariadb'

export interface ServerVersion {
  readonly flavour: Flavour
  readonly major: number
  readonly minor: number
  readonly patch: number
}

/** MariaDB 10 put a version in front that old replicas accept. */
const MARIADB_PREFIX = '5.5.5-'

/** Reads `9.4.0`, `8.4.3-router`, `5.5.5-10.11.6-MariaDB-1`, `11.4.2-MariaDB`; null where it is no version. */
export function parseServerVersion(text: string): ServerVersion | null {
  const flavour = /mariadb/i.test(text) ? 'mariadb' : 'mysql'
  const bare =
    flavour === 'mariadb' && text.startsWith(MARIADB_PREFIX)
      ? text.slice(MARIADB_PREFIX.length)
      : text
  const match = /^(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?/.exec(bare)
  if (match === null) return null
  const [, major, minor, patch = '0'] = match
  return { flavour, major: Number(major), minor: Number(minor), patch: Number(patch) }
}
