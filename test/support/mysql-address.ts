/** How a test reaches a MySQL or MariaDB server, and statements run as its superuser. */
import mysql, { type RowDataPacket } from 'mysql2/promise'

export type Flavour = 'mysql' | 'mariadb'

/** Plain data, so that it crosses to test workers. */
export interface MysqlAddress {
  readonly flavour: Flavour
  readonly host: string
  readonly port: number
  /** Every privilege, from every host; logs in with the server's default plugin. */
  readonly superuser: { readonly user: string; readonly password: string }
  /** As the server says it, for example `9.7.4` or `10.11.19-MariaDB-0+deb12u1`. */
  readonly version: string
  /** Where the server came from, for people. */
  readonly origin: string
  /** Folder of a system of its own that the server runs in and that has its clients (for chroot); absent: none. */
  readonly system?: string
  /** PEM of the CA that signed the server's certificate for localhost; undefined: it has one of its own. */
  readonly ca: string | undefined
}

/** A URL for drivers, with the superuser in it. */
export function mysqlUrl(address: MysqlAddress, database: string): string {
  const { user, password } = address.superuser
  const { host, port } = address
  return `mysql://${user}:${encodeURIComponent(password)}@${host}:${port}/${encodeURIComponent(database)}`
}

/** Runs one or several statements as the superuser; rows of the last one that has any. */
export async function mysqlSql<R = Record<string, unknown>>(
  address: Pick<MysqlAddress, 'host' | 'port' | 'superuser'>,
  query: {
    readonly database?: string | undefined
    readonly text: string
    readonly parameters?: readonly unknown[] | undefined
  },
): Promise<R[]> {
  const connection = await mysql.createConnection({
    host: address.host,
    port: address.port,
    ...address.superuser,
    ...(query.database !== undefined && { database: query.database }),
    multipleStatements: true,
  })
  try {
    // mysql2 has no type for the answer to several statements: a list of the answers to each.
    const [answer] = (await connection.query<RowDataPacket[]>(
      query.text,
      query.parameters === undefined ? undefined : [...query.parameters],
    )) as unknown as [unknown]
    if (!Array.isArray(answer)) return []
    const several = answer.some((one) => Array.isArray(one) || isHeader(one))
    // Safe: rows are plain objects; their shape is the caller's word.
    if (!several) return answer as R[]
    return (answer.findLast((one) => Array.isArray(one)) ?? []) as R[]
  } finally {
    await connection.end()
  }
}

function isHeader(one: unknown): boolean {
  return one?.constructor?.name === 'ResultSetHeader'
}
