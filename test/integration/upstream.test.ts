/** How the gateway reaches its databases: authentication, TLS modes, secrets, credentials per role, reuse. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCertificateAuthority } from '../support/certs.ts'
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../support/gateway.ts'
import { type PostgresServer, startPostgres } from '../support/servers.ts'

const ALLOW = new URL('../../policies/allow-everything.yaml', import.meta.url)

let server: PostgresServer
let clear: PostgresServer
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sp-upstream-'))
  server = await startPostgres({
    authentication: { users: { md5_user: 'md5', clear_user: 'password', cert_user: 'cert' } },
  })
  clear = await startPostgres({ tls: 'off', authentication: { users: { clear_user: 'password' } } })
  await server.sql(
    'postgres',
    `SET password_encryption = md5; CREATE ROLE md5_user LOGIN PASSWORD 'md5 pässword';
     SET password_encryption = 'scram-sha-256'; CREATE ROLE clear_user LOGIN PASSWORD 'clear';
     CREATE ROLE cert_user LOGIN; CREATE ROLE scram_user LOGIN PASSWORD 'scram pässword'`,
  )
  await clear.sql('postgres', `CREATE ROLE clear_user LOGIN PASSWORD 'clear'`)
})
afterAll(async () => {
  await server.stop()
  await clear.stop()
  await rm(folder, { recursive: true, force: true })
})

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text, { mode: 0o600 })
  return path
}

async function ask(
  gateway: TestGateway,
  sql: string,
  request = {},
  user = 'anybody',
): Promise<unknown> {
  const token = await gateway.token(request)
  const client = new pg.Client({
    host: gateway.host,
    port: gateway.port,
    database: gateway.connection,
    user,
    password: token,
    ssl: { ca: gateway.ca },
  })
  await client.connect()
  try {
    const { rows } = await client.query({ text: sql, rowMode: 'array' })
    return (rows[0] as unknown[] | undefined)?.[0]
  } finally {
    await client.end()
  }
}

/** Starts a gateway with this upstream and asks who it is there; the error's code when it cannot. */
async function whoIsIt(
  options: Partial<TestGatewayOptions> & { upstream: PostgresServer },
): Promise<unknown> {
  const gateway = await startTestGateway({ database: 'postgres', policies: [ALLOW], ...options })
  try {
    return await ask(gateway, 'SELECT current_user')
  } catch (error) {
    return (error as pg.DatabaseError).code
  } finally {
    await gateway.close()
  }
}

describe('authentication at the upstream', () => {
  test.each([
    ['SCRAM-SHA-256', 'scram_user', 'scram pässword'],
    ['md5', 'md5_user', 'md5 pässword'],
    ['a clear password inside TLS', 'clear_user', 'clear'],
  ])('logs in with %s', async (_method, user, password) => {
    expect(await whoIsIt({ upstream: server, credential: { user, password } })).toBe(user)
  })

  test('logs in with a client certificate', async () => {
    const { cert, key } = await (server.authority ?? (await createCertificateAuthority())).client(
      'cert_user',
    )
    const tls = {
      mode: 'verify-full',
      ca: await file('server-ca.crt', server.ca ?? ''),
      certificate: await file('cert_user.crt', cert),
      key: await file('cert_user.key', key),
    }
    const connectionOptions = { user: 'cert_user', password: undefined, tls }
    expect(await whoIsIt({ upstream: server, connectionOptions })).toBe('cert_user')
  })

  test('never sends a password in clear over TCP without TLS', async () => {
    const credential = { user: 'clear_user', password: 'clear' }
    expect(await whoIsIt({ upstream: clear, credential, via: 'tcp' })).not.toBe('clear_user')
  })

  test('a wrong password is told as the gateway’s own trouble, without naming host or user', async () => {
    const credential = { user: 'scram_user', password: 'wrong' }
    const gateway = await startTestGateway({
      database: 'postgres',
      policies: [ALLOW],
      upstream: server,
      credential,
    })
    try {
      const error = await ask(gateway, 'SELECT 1').catch((e: unknown) => e)
      expect(error).toMatchObject({ code: '08004' })
      expect(String(error)).not.toMatch(/scram_user|127\.0\.0\.1|wrong/)
    } finally {
      await gateway.close()
    }
  })
})

describe('TLS to the upstream', () => {
  test('verify-full refuses a certificate of another CA', async () => {
    const other = await createCertificateAuthority('another')
    const tls = { mode: 'verify-full', ca: await file('other.crt', other.cert) }
    expect(await whoIsIt({ upstream: server, connectionOptions: { tls } })).toBe('08006')
  })

  test('verify-full refuses a certificate of another name', async () => {
    const ca = await file('server-ca.crt', server.ca ?? '')
    const tls = { mode: 'verify-full', ca, 'server-name': 'db.example.com' }
    expect(await whoIsIt({ upstream: server, connectionOptions: { tls } })).toBe('08006')
  })

  test('require refuses a server without TLS', async () => {
    expect(
      await whoIsIt({ upstream: clear, connectionOptions: { tls: { mode: 'require' } } }),
    ).toBe('08006')
  })

  test('prefer goes on without TLS where there is none', async () => {
    const connectionOptions = { tls: { mode: 'prefer' } }
    expect(await whoIsIt({ upstream: clear, connectionOptions })).toBe(clear.superuser.user)
  })
})

describe('credentials', () => {
  test('a rotated password is read again without a restart', async () => {
    const path = await file('rotating', 'first')
    await server.sql('postgres', `CREATE ROLE rotating LOGIN PASSWORD 'first'`)
    const connectionOptions = { user: 'rotating', password: `file:${path}` }
    const gateway = await startTestGateway({
      upstream: server,
      database: 'postgres',
      policies: [ALLOW],
      connectionOptions,
    })
    try {
      expect(await ask(gateway, 'SELECT current_user')).toBe('rotating')
      await server.sql('postgres', `ALTER ROLE rotating PASSWORD 'second'`)
      await writeFile(path, 'second')
      expect(await ask(gateway, 'SELECT current_user')).toBe('rotating')
    } finally {
      await gateway.close()
    }
  })

  test('each role logs in with its own', async () => {
    const connectionOptions = {
      roles: { reader: { user: 'scram_user', password: 'plain:scram pässword' } },
    }
    const identity = { roles: { reader: { groups: ['readers'] } } }
    const gateway = await startTestGateway({
      upstream: server,
      database: 'postgres',
      policies: [ALLOW],
      connectionOptions,
      identity,
    })
    try {
      const groups = { groups: ['readers', 'others'] }
      expect(await ask(gateway, 'SELECT current_user', groups, 'reader')).toBe('scram_user')
      expect(await ask(gateway, 'SELECT current_user', { groups: ['others'] })).toBe(
        server.superuser.user,
      )
    } finally {
      await gateway.close()
    }
  })
})

describe('reuse of upstream connections', () => {
  test('the next client gets the same backend, with nothing left of the one before', async () => {
    const connectionOptions = { reuse: { max: 4, 'idle-seconds': 30 } }
    const gateway = await startTestGateway({
      upstream: server,
      database: 'postgres',
      policies: [ALLOW],
      connectionOptions,
    })
    try {
      const first = await ask(
        gateway,
        `SELECT pg_backend_pid() FROM set_config('app.secret', 'mine', false)`,
      )
      await expect
        .poll(() => ask(gateway, 'SELECT pg_backend_pid()'), { timeout: 10_000, interval: 100 })
        .toBe(first)
      expect(await ask(gateway, `SELECT coalesce(current_setting('app.secret', true), '')`)).toBe(
        '',
      )
    } finally {
      await gateway.close()
    }
  })

  test('without it every client gets a backend of its own', async () => {
    const gateway = await startTestGateway({
      upstream: server,
      database: 'postgres',
      policies: [ALLOW],
    })
    try {
      const first = await ask(gateway, 'SELECT pg_backend_pid()')
      expect(await ask(gateway, 'SELECT pg_backend_pid()')).not.toBe(first)
    } finally {
      await gateway.close()
    }
  })
})

describe('what the server says at login', () => {
  test('reaches a client without masks before it is ready', async () => {
    await server.sql('postgres', 'CREATE DATABASE greeting')
    await server.sql(
      'greeting',
      `CREATE FUNCTION greet() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'welcome'; END$$;
       CREATE EVENT TRIGGER greet ON login EXECUTE FUNCTION greet()`,
    )
    const gateway = await startTestGateway({
      upstream: server,
      database: 'greeting',
      policies: [ALLOW],
    })
    try {
      const client = new pg.Client({
        host: gateway.host,
        port: gateway.port,
        database: gateway.connection,
        user: 'anybody',
        password: await gateway.token(),
        ssl: { ca: gateway.ca },
      })
      const heard: (string | undefined)[] = []
      client.on('notice', (notice) => heard.push(notice.message))
      await client.connect()
      expect(heard).toEqual(['welcome'])
      await client.end()
    } finally {
      await gateway.close()
    }
  })
})
