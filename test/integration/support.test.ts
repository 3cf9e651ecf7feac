import { readdir } from 'node:fs/promises'
import { connect } from 'node:tls'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DEMO_ROLES } from '../demo/data/load.ts'
import { type PostgresServer, startPostgres } from '../support/servers.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

describe('a server of its own', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ authentication: { users: { certain: 'cert', old: 'md5' } } })
    await server.sql('postgres', 'CREATE ROLE certain LOGIN')
    await server.sql(
      'postgres',
      "SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'x'",
    )
  })
  afterAll(() => server?.stop())

  const login = async (options: pg.ClientConfig): Promise<unknown> => {
    const client = new pg.Client({
      host: 'localhost',
      port: server.port,
      database: 'postgres',
      ...options,
    })
    await client.connect()
    const { rows } = await client.query(
      'SELECT current_user AS me, ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    )
    await client.end()
    return rows[0]
  }

  test('accepts a password over a verified TLS connection', async () => {
    const ssl = { ca: server.ca }
    expect(await login({ ...server.superuser, ssl })).toMatchObject({ me: 'postgres', ssl: true })
    expect(await login({ user: 'old', password: 'x', ssl })).toMatchObject({ me: 'old' })
  })

  test('accepts a client certificate of its authority and no other', async () => {
    const own = await server.authority?.client('certain')
    expect(await login({ user: 'certain', ssl: { ca: server.ca, ...own } })).toMatchObject({
      me: 'certain',
      client_dn: '/CN=certain',
    })
    const wrong = await server.authority?.client('somebody')
    await expect(
      login({ user: 'certain', ssl: { ca: server.ca, ...wrong } }),
    ).rejects.toMatchObject({ code: '28000' })
  })

  test('speaks direct TLS with the ALPN name of PostgreSQL', async (context) => {
    context.skip(Number.parseInt(server.version, 10) < 17, 'direct TLS came with PostgreSQL 17')
    const socket = connect({
      host: '127.0.0.1',
      port: server.port,
      ca: server.ca,
      ALPNProtocols: ['postgresql'],
    })
    await new Promise((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    })
    expect(socket.alpnProtocol).toBe('postgresql')
    socket.destroy()
  })

  test('changes its authentication while it runs', async () => {
    await server.setAuthentication({ users: { old: 'reject' } })
    await expect(login({ user: 'old', password: 'x' })).rejects.toMatchObject({ code: '28000' })
    await server.setAuthentication({ users: { old: 'trust' } })
    expect(await login({ user: 'old' })).toMatchObject({ me: 'old' })
  })

  test('runs beside another one and leaves nothing behind', async () => {
    const other = await startPostgres({ tls: 'off' })
    expect(other.port).not.toBe(server.port)
    expect(await other.sql('postgres', 'SELECT 1 AS one; SELECT 2 AS two')).toEqual([{ two: 2 }])
    await other.stop()
    await expect(readdir(other.dataDir)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(() => process.kill(other.pid, 0)).toThrow(/ESRCH/)
  })
})

describe('the demo data', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await usePostgres({ demo: true })
  })
  afterAll(() => database?.drop())

  test('is the same on every load', async () => {
    const other = await usePostgres({ demo: true })
    const digest = `SELECT md5(string_agg(t::text, ',' ORDER BY id)) AS hash FROM support_tickets t`
    expect(await other.sql(digest)).toEqual(await database.sql(digest))
    await other.drop()
  })

  test('has card numbers that pass Luhn and IBANs with a right checksum', async () => {
    const rows = await database.sql<{ card_number: string | null; iban: string | null }>(
      'SELECT card_number, iban FROM payments',
    )
    const cards = rows.flatMap((row) => row.card_number ?? [])
    const ibans = rows.flatMap((row) => row.iban ?? [])
    expect(cards.length).toBeGreaterThan(10)
    expect(ibans.length).toBeGreaterThan(5)
    expect(cards.filter((card) => !luhn(card))).toEqual([])
    expect(
      ibans.filter((iban) => BigInt(`${iban.slice(4)}1314${iban.slice(2, 4)}`) % 97n !== 1n),
    ).toEqual([])
  })

  test('lets readers read and not write', async () => {
    const client = new pg.Client({
      host: database.host,
      port: database.port,
      database: database.database,
      user: 'app_reader',
      password: DEMO_ROLES.app_reader,
    })
    await client.connect()
    expect((await client.query('SELECT count(*)::int AS n FROM ticket_inbox')).rows[0].n).toBe(19)
    await expect(client.query('DELETE FROM customers')).rejects.toMatchObject({ code: '42501' })
    await client.end()
  })
})

function luhn(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}
