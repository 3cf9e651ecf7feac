/**
 * Tokens by SASL OAUTHBEARER (RFC 7628), as clients of PostgreSQL 18 give them: against a real issuer with a client that
 * is only bytes, and with psql 18 where there is one (SALLYPORT_TEST_PSQL) that was built with libcurl.
 */
import { spawn, spawnSync } from 'node:child_process'
import { parseConfig } from '@sallyport/gateway'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type RunningIssuer, startIssuer } from '../support/issuer.ts'
import { walk } from '../support/sign-in.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { errorsOf, say, WireClient } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - { name: reading, who: { groups: [readers] }, allow: { effects: [read], relations: ['*'] } }
`
let database: TestDatabase
let issuer: RunningIssuer
let gateway: TestGateway

beforeAll(async () => {
  database = await usePostgres()
  issuer = await startIssuer({
    audience: 'sallyport',
    users: [{ sub: 'ann', groups: ['readers'] }],
    signIn: {},
  })
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    identity: {
      issuers: [{ issuer: issuer.issuer, audience: 'sallyport', claims: { groups: 'groups' } }],
    },
    listeners: { tls: { oauth: {} }, plain: { oauth: { required: true, scope: 'openid db' } } },
  })
})
afterAll(async () => {
  await gateway.close()
  await issuer[Symbol.asyncDispose]()
  await database.drop()
})

/** A message of type `p`: SASLInitialResponse and SASLResponse. */
function answer(body: Buffer): Buffer {
  const head = Buffer.from([0x70, 0, 0, 0, 0])
  head.writeUInt32BE(4 + body.length, 1)
  return Buffer.concat([head, body])
}

function initialResponse(auth: string): Buffer {
  const data = Buffer.from(`n,,\x01auth=${auth}\x01\x01`)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  return answer(Buffer.concat([Buffer.from('OAUTHBEARER\0'), length, data]))
}

const ACKNOWLEDGED = answer(Buffer.from([1]))

/** What a client reads that answers with `auth`: its last frame is the first that is not the list of mechanisms. */
async function begin(auth: string, more: { port?: number; database?: string; way?: string } = {}) {
  const wire = WireClient.begin({
    host: gateway.host,
    port: more.port ?? gateway.plainPort,
    user: 'anybody',
    database: more.database ?? gateway.connection,
    parameters: more.way === undefined ? [] : [['options', `-c sallyport.auth=${more.way}`]],
  })
  const [asked] = await wire.until(() => true)
  expect(asked?.message).toEqual({ kind: 'AuthenticationSASL', mechanisms: ['OAUTHBEARER'] })
  wire.write(initialResponse(auth))
  const [told] = await wire.until(() => true)
  return { wire, told }
}

function failureIn(frame: Awaited<ReturnType<typeof begin>>['told']): unknown {
  if (frame?.message.kind !== 'AuthenticationSASLContinue') throw new Error(`got ${frame?.type}`)
  return JSON.parse(Buffer.from(frame.message.data).toString())
}

/** Asks the issuer that the gateway names for a token, by its device flow. */
async function deviceToken(discovery: string, scope: string, name: string): Promise<unknown> {
  // Safe: what is missing fails the test where it is used.
  const read = async (answer: Response) => (await answer.json()) as Record<string, string>
  const post = async (url: string | undefined, fields: Record<string, string>) => {
    const body = new URLSearchParams({ client_id: 'sallyport-cli', ...fields })
    return read(await fetch(url ?? '', { method: 'POST', body }))
  }
  const endpoints = await read(await fetch(discovery))
  const device = await post(endpoints['device_authorization_endpoint'], { scope })
  await walk(device['verification_uri_complete'] ?? '', name)
  const given = await post(endpoints['token_endpoint'], {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: device['device_code'] ?? '',
  })
  return given['access_token']
}

describe('a client that is only bytes', () => {
  test('is told where to get a token, gets it there, and is in', async () => {
    const first = await begin('')
    const failure = {
      status: 'invalid_token',
      'openid-configuration': `${issuer.issuer}/.well-known/openid-configuration`,
      scope: 'openid db',
    }
    expect(failureIn(first.told)).toEqual(failure)
    first.wire.write(ACKNOWLEDGED)
    expect(errorsOf(await first.wire.until(() => false))[0]).toMatchObject({
      severity: 'FATAL',
      sqlstate: '28000',
    })
    const token = await deviceToken(failure['openid-configuration'], 'openid', 'ann')
    const { wire, told } = await begin(`Bearer ${token}`)
    expect(told?.message).toEqual({ kind: 'AuthenticationOk' })
    expect(say(await wire.replies())).toContain('Z:I')
    expect(say(await wire.query('SELECT 6 * 7 AS n'))).toContain('C:SELECT 1 Z:I')
    expect(errorsOf(await wire.query('CREATE TABLE x (n int)'))[0]?.sqlstate).toBe('42501')
    wire.close()
  })

  test.each([
    ['that is none', 'Bearer abc', /the token is broken or is not a token/],
    [
      'of another issuer',
      `Bearer ${[{ alg: 'ES256' }, { iss: 'x', sub: 'y' }, {}].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}`,
      /issuer/,
    ],
  ])('with a token %s reads so twice: as SASL, and as an error', async (_what, auth, message) => {
    const { wire, told } = await begin(auth)
    expect(failureIn(told)).toMatchObject({ status: 'invalid_token' })
    wire.write(ACKNOWLEDGED)
    const [error] = errorsOf(await wire.until(() => false))
    expect(error).toMatchObject({ severity: 'FATAL', sqlstate: '28P01' })
    expect(error?.message).toMatch(message)
  })

  test('that does not acknowledge a failure is let go', async () => {
    const { wire } = await begin('Bearer abc')
    wire.write(initialResponse('Bearer abc'))
    expect(errorsOf(await wire.until(() => false))[0]).toMatchObject({ severity: 'FATAL' })
  })

  test('whose token is good is told in an ordinary error what else is wrong', async () => {
    const token = await gateway.token()
    const { told } = await begin(`Bearer ${token}`, { database: 'elsewhere' })
    expect(told?.message).toMatchObject({ kind: 'ErrorResponse', fields: { sqlstate: '3D000' } })
  })

  test.each(['Basic YTpi', 'Bearer a\x01auth=Bearer b', 'Bearer a b', 'Bearer'])(
    'that answers with %j is let go',
    async (auth) => {
      const { told } = await begin(auth)
      expect(told?.message).toMatchObject({ kind: 'ErrorResponse', fields: { severity: 'FATAL' } })
    },
  )
})

describe('which way a token comes', () => {
  const refusedBy = async (port: number, way: string) => {
    const wire = WireClient.begin({
      host: gateway.host,
      port,
      user: 'anybody',
      database: gateway.connection,
      parameters: [['options', `-c sallyport.auth=${way}`]],
    })
    return errorsOf(await wire.until(() => false))[0]
  }

  test('where OAuth is required there is no other', async () => {
    const refused = { sqlstate: '28000', message: expect.stringContaining('only be oauth here') }
    expect(await refusedBy(gateway.plainPort, 'password')).toMatchObject(refused)
  })

  test('where it is not, it is asked for', async () => {
    const port = gateway.port
    const { told } = await begin('', { port, way: 'oauth' })
    expect(failureIn(told)).toMatchObject({ scope: 'openid' })
    expect(await refusedBy(port, 'kerberos')).toMatchObject({ sqlstate: '28000' })
    const wire = await WireClient.connect({
      host: gateway.host,
      port,
      user: 'anybody',
      database: gateway.connection,
      password: await gateway.token({ groups: ['readers'] }),
      parameters: [['options', '-c sallyport.auth=password']],
    })
    expect(say(await wire.query('SELECT 1'))).toContain('C:SELECT 1')
    wire.close()
  })

  test('it must lead to an issuer that is trusted, and PostgreSQL', () => {
    const problemsOf = (listener: string): unknown => {
      try {
        parseConfig(
          '/x/sallyport.yaml',
          `version: 1
listeners: [${listener}]
identity: { issuers: [{ issuer: 'https://a.example', audience: b }] }
connections:
  crm: { protocol: postgres, database: crm, user: u }
  shop: { protocol: mysql, database: shop, user: u }
policies: [p.yaml]
`,
        )
      } catch (error) {
        return (error as { problems: readonly unknown[] }).problems
      }
      return []
    }
    const of = (oauth: string, protocol = 'postgres') =>
      problemsOf(`{ protocol: ${protocol}, port: 0, oauth: ${oauth} }`)
    expect(of('{}')).toEqual([])
    expect(of("{ issuer: 'https://b.example' }")).toMatchObject([{ key: 'listeners.0.oauth' }])
    expect(of('{}', 'mysql')).toMatchObject([{ key: 'listeners.0.oauth' }])
  })
})

const psql = (process.env['SALLYPORT_TEST_PSQL'] ?? 'psql').split(':').find((path) => {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  return Number(/\d+/.exec(stdout ?? '')?.[0]) >= 18
})

test.runIf(psql !== undefined)('psql 18 logs in by the device flow', async (context) => {
  const oauth = `oauth_issuer=${issuer.issuer} oauth_client_id=sallyport-cli`
  const conninfo = (at: string): string =>
    `host=localhost dbname=${gateway.connection} user=anybody ${oauth} ${at}`
  const login = async (at: string, name: string) => {
    const child = spawn(psql ?? '', ['-XAtc', 'SELECT 6 * 7', conninfo(at)], {
      // An issuer on loopback has no https.
      env: { ...process.env, PGOAUTHDEBUG: 'UNSAFE' },
    })
    let out = ''
    let said = ''
    const walked = new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        const [, url, code] = /Visit (\S+) and enter the code: (\S+)/.exec(said) ?? []
        if (url !== undefined) walk(`${url}?user_code=${code}`, name).then(resolve, reject)
      })
      child.once('close', () => resolve())
    })
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    const exit = await new Promise((resolve) => child.once('close', resolve))
    await walked
    if (said.includes('no OAuth flows are available')) context.skip('psql without libpq-oauth')
    return { exit, out, said }
  }
  const plain = `port=${gateway.plainPort} sslmode=disable`
  const tls = `port=${gateway.port} sslmode=verify-full sslrootcert=${gateway.caFile}`
  expect(await login(`${tls} options='-c sallyport.auth=oauth'`, 'ann')).toMatchObject({
    exit: 0,
    out: '42\n',
  })
  // Libpq waits five seconds before it asks for the token.
  const bob = await login(plain, 'bob')
  expect(bob).toMatchObject({ exit: 2, out: '' })
  expect(bob.said).toMatch(
    /FATAL: {2}database "[^"]*" does not exist, or this token gives no access/,
  )
})
