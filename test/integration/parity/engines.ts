/** The same schema, policy and identities on each engine, and statements run as one of the identities. */
import mysql, { type RowDataPacket } from 'mysql2/promise'
import pg from 'pg'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import type { Flavour } from '../../support/mysql-address.ts'
import { useMysql } from '../../support/use-mysql.ts'
import { usePostgres } from '../../support/use-postgres.ts'
import { type Identity, POLICY, SCHEMA } from './cases.ts'

export type EngineName = 'postgres' | Flavour

/** What became of a statement. */
export type Seen =
  | { readonly kind: 'rows'; readonly rows: readonly (readonly (string | null)[])[] }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }

export interface Engine {
  readonly name: EngineName
  run(as: Identity, sql: string): Promise<Seen>
  close(): Promise<void>
}

const GROUPS: Readonly<Record<Identity, readonly string[]>> = {
  agent: ['agents'],
  writer: ['writers'],
  dba: ['dba'],
  nobody: [],
}

export async function openEngine(name: EngineName): Promise<Engine> {
  return name === 'postgres' ? openPostgres() : openMysql(name)
}

/** Anything but a policy's own words would be a difference of the engines. */
function policyFor(schema: string): string {
  return POLICY.replaceAll('SCHEMA', schema)
}

async function openPostgres(): Promise<Engine> {
  const db = await usePostgres()
  for (const statement of SCHEMA) await db.sql(statement)
  const gateway = await startTestGateway({
    upstream: db,
    database: db.database,
    policies: [policyFor('public')],
  })
  const clients = new Map<Identity, pg.Client>()
  return {
    name: 'postgres',
    async run(as, sql) {
      const client = clients.get(as) ?? (await pgClient(gateway, as))
      clients.set(as, client)
      try {
        const answer = (await client.query({ text: sql, rowMode: 'array' })) as
          | pg.QueryArrayResult
          | pg.QueryArrayResult[]
        const last = Array.isArray(answer) ? answer.at(-1) : answer
        return { kind: 'rows', rows: (last?.rows ?? []).map((row) => row.map(text)) }
      } catch (error) {
        const { code = '', message } = error as { code?: string; message: string }
        return { kind: 'error', code, message }
      }
    },
    async close() {
      for (const client of clients.values()) await client.end()
      await gateway.close()
      await db.drop()
    },
  }
}

async function pgClient(gateway: TestGateway, as: Identity): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: gateway.url(await tokenOf(gateway, as)),
    ssl: { ca: gateway.ca },
    types: { getTypeParser: () => (value: unknown) => value },
  })
  await client.connect()
  return client
}

function tokenOf(gateway: TestGateway, as: Identity): Promise<string> {
  return gateway.token({ subject: as, groups: GROUPS[as] })
}

async function openMysql(flavour: Flavour): Promise<Engine> {
  const db = await useMysql(flavour)
  for (const statement of SCHEMA) await db.sql(statement)
  const gateway = await startTestGateway({
    upstream: db,
    database: db.database,
    policies: [policyFor(db.database)],
  })
  const clients = new Map<Identity, mysql.Connection>()
  return {
    name: flavour,
    async run(as, sql) {
      const client = clients.get(as) ?? (await mysqlClient(gateway, as))
      clients.set(as, client)
      try {
        const [answer] = await client.query<RowDataPacket[]>({ sql, rowsAsArray: true })
        const rows = Array.isArray(answer) ? (answer as unknown as unknown[][]) : []
        return { kind: 'rows', rows: rows.map((row) => row.map(text)) }
      } catch (error) {
        const { errno, sqlMessage = '' } = error as { errno?: number; sqlMessage?: string }
        return { kind: 'error', code: String(errno), message: sqlMessage }
      }
    },
    async close() {
      for (const client of clients.values()) await client.end()
      await gateway.close()
      await db.drop()
    },
  }
}

async function mysqlClient(gateway: TestGateway, as: Identity): Promise<mysql.Connection> {
  return mysql.createConnection({
    host: 'localhost',
    port: gateway.port,
    user: as,
    password: await tokenOf(gateway, as),
    database: gateway.connection,
    ssl: { ca: gateway.ca },
    multipleStatements: true,
    dateStrings: true,
  })
}

function text(value: unknown): string | null {
  return value === null ? null : String(value)
}
