import fc from 'fast-check'
import { Registry } from 'prom-client'
import { beforeEach, describe, expect, test } from 'vitest'
import { CatalogError } from '../catalog/errors.ts'
import { Secret } from '../secrets/secret.ts'
import {
  ADMIN_BODY_BYTES_MAX,
  addHealthRoutes,
  createAdminServer,
  type ReadyPiece,
} from './http.ts'
import { Buckets, LABEL_SETS_MAX, Tally } from './instruments.ts'
import { createLogger, ERROR_MESSAGE_CHARS_MAX, type Logger, redactText } from './logger.ts'
import { createTelemetry } from './metrics.ts'

let lines: string[]
let logger: Logger
beforeEach(() => {
  lines = []
  logger = createLogger({ level: 'info', destination: { write: (line) => lines.push(line) } })
})
// Lines are what this file has just written.
const last = (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '{}')

/** An error as pg makes them: the database's fields hang on it. */
const databaseError = (message: string): Error =>
  Object.assign(new Error(message), {
    code: '23505',
    detail: 'Key (email)=(ada@example.com) already exists.',
    where: 'SQL statement "SELECT \'ada@example.com\'"',
    query: "SELECT 'ada@example.com'",
  })

describe('the log', () => {
  test('is one JSON object a line with a level in words', () => {
    logger.info({ session: 7 }, 'session began')
    expect(last()).toMatchObject({ level: 'info', msg: 'session began', session: 7 })
    logger.debug('unseen')
    expect(lines).toHaveLength(1)
  })

  test('prints no secret, under any name and depth', () => {
    const secret = new Secret('hunter2')
    logger.warn({ secret, deep: { a: { b: [secret] } }, upstream: { password: 'hunter2' } }, 'x')
    logger.child({ token: 'hunter2' }).warn({ body: { inner: { token: 'hunter2' } } }, 'y')
    logger.warn({ authorization: 'Bearer hunter2', query: 'select hunter2' }, 'z')
    expect(lines).toHaveLength(3)
    expect(lines.join('')).not.toContain('hunter2')
  })

  test('shows fields to a depth and no deeper', () => {
    logger.info({ a: { b: { c: { d: 'deep' } } } }, 'x')
    expect(last()).toMatchObject({ a: { b: { c: '[secret]' } } })
    logger.info({ a: { b: { c: 'near' } } }, 'x')
    expect(last()).toMatchObject({ a: { b: { c: 'near' } } })
  })

  test('keeps counts and ids under the names it hides', () => {
    logger.info({ statement: 12 }, 'x')
    expect(last()).toMatchObject({ statement: 12 })
  })

  test.each([
    ['as err', (error: Error) => logger.error({ err: error }, 'failed')],
    ['without a message', (error: Error) => logger.error({ err: error })],
    ['bare', (error: Error) => logger.error(error)],
    ['bare with a message', (error: Error) => logger.error(error, 'failed')],
    ['under another name', (error: Error) => logger.error({ reason: error }, 'failed')],
    ['in a list', (error: Error) => logger.error({ upstream: { tries: [error] } }, 'failed')],
    [
      'as a cause',
      (error: Error) =>
        logger.error(new CatalogError('query-failed', 'not read', { cause: error }), 'failed'),
    ],
  ])('says of an error what and where, not the values in it: %s', (_how, log) => {
    log(databaseError('duplicate key "ada@example.com" violates unique constraint'))
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain('ada@example.com')
    expect(lines[0]).toContain('23505')
    expect(lines[0]).toContain('telemetry.test.ts')
  })

  test.each([
    ["invalid input syntax for type integer: 'ada'", 'ada'],
    ['invalid input syntax for type integer: "ada"', 'ada'],
    ["unterminated 'ada", 'ada'],
    ["it''s 'a''ada' b", 'ada'],
    ['$$ada$$ and $x$ada$x$ and $y$ada', 'ada'],
    ['token eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.c2ln refused', 'eyJzdWIiOiJhZGEifQ'],
    ['unknown spt_Zm9vYmFy', 'Zm9vYmFy'],
    ['Authorization: Bearer abc.def', 'abc.def'],
    ['connect postgres://app:ada@db/crm', 'ada'],
  ])('takes values out of a message: %s', (message, value) => {
    expect(redactText(message)).not.toContain(value)
  })

  test('leaves names in backticks and bounds every message', () => {
    expect(redactText('cannot read `/run/secrets/crm`: ENOENT')).toBe(
      'cannot read `/run/secrets/crm`: ENOENT',
    )
    fc.assert(
      fc.property(fc.string({ maxLength: 5_000 }), (text) => {
        expect(redactText(text).length).toBeLessThanOrEqual(ERROR_MESSAGE_CHARS_MAX + 1)
      }),
    )
  })

  test('bounds a message in linear time', () => {
    for (const piece of ["'", '"', '$$', '$a', 'eyJ.', '\\', "''"]) {
      const before = process.cpuUsage()
      redactText(piece.repeat(100_000))
      // Processor time, so that a busy machine changes nothing; quadratic work takes far longer.
      expect(process.cpuUsage(before).user / 1000).toBeLessThan(3_000)
    }
  })
})

describe('metrics', () => {
  test('count what the gateway does, under their documented names', async () => {
    const telemetry = createTelemetry({ defaults: false })
    telemetry.connectionOpened('pg')
    telemetry.connectionOpened('pg')
    telemetry.connectionClosed('pg')
    telemetry.sessionOpened()
    telemetry.authenticated('refused', 'token-expired')
    telemetry.statement('crm', 'allow')
    telemetry.statement('crm', 'allow')
    telemetry.statement('crm', 'deny')
    telemetry.executed(700, 10, true)
    telemetry.executed(90_000, 5, false)
    telemetry.transferred('to-client', 4096)
    telemetry.decisionCache('exact')
    telemetry.upstreamConnected(2_000)
    telemetry.witnessDisagreed(3)
    telemetry.catalogEvent('crm', { kind: 'confirmed', reason: 'interval', ms: 4 })
    telemetry.catalogEvent('crm', {
      kind: 'failed',
      reason: 'ddl',
      error: new CatalogError('unreachable', 'x'),
    })
    telemetry.watchCatalogs(() => [
      { connection: 'crm', database: 'crm', ageMs: 1500 },
      { connection: 'crm', database: 'other', ageMs: undefined },
    ])
    telemetry.watchAudit(() => ({ records: 9, bytes: 900, indexLag: 1 }))
    const text = await telemetry.registry.metrics()
    const seen = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    expect(seen).toEqual(
      expect.arrayContaining([
        'sallyport_connections{listener="pg"} 1',
        'sallyport_sessions_active 1',
        'sallyport_authentications_total{outcome="refused",code="token-expired"} 1',
        'sallyport_statements_total{connection="crm",verdict="allow"} 2',
        'sallyport_statements_total{connection="crm",verdict="deny"} 1',
        'sallyport_statement_seconds_bucket{le="0.0005"} 0',
        'sallyport_statement_seconds_bucket{le="0.001"} 1',
        'sallyport_statement_seconds_bucket{le="0.1"} 2',
        'sallyport_statement_seconds_bucket{le="+Inf"} 2',
        'sallyport_statement_seconds_count 2',
        'sallyport_rows_total 15',
        'sallyport_rows_masked_total 10',
        'sallyport_bytes_total{direction="to-client"} 4096',
        'sallyport_decision_cache_total{result="exact"} 1',
        'sallyport_upstream_connect_seconds_count 1',
        'sallyport_witness_disagreements_total 3',
        'sallyport_audit_failures_total 0',
        'sallyport_audit_records_total 9',
        'sallyport_audit_index_lag_records 1',
        'sallyport_catalog_refreshes_total{connection="crm",reason="interval",result="confirmed"} 1',
        'sallyport_catalog_refreshes_total{connection="crm",reason="ddl",result="failed"} 1',
        'sallyport_catalog_age_seconds{connection="crm",database="crm"} 1.5',
      ]),
    )
    expect(text).not.toContain('database="other"')
    expect(text).toContain('# TYPE sallyport_statement_seconds histogram')
    expect(text).toContain('# TYPE sallyport_connections gauge')
  })

  test('a counter has a bounded number of label sets', async () => {
    const registry = new Registry()
    const tally = new Tally(registry, { name: 'n', help: 'h', labels: ['a'] })
    for (let n = 0; n < LABEL_SETS_MAX + 50; n += 1) tally.add([String(n)])
    const text = await registry.metrics()
    expect(text.match(/^n\{/gm)).toHaveLength(LABEL_SETS_MAX + 1)
    expect(text).toContain('n{a="other"} 50')
  })

  test('a histogram holds every observation in the first bucket that admits it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 30 })), async (observed) => {
        const registry = new Registry()
        const buckets = new Buckets(registry, { name: 'b', help: 'h', bounds: [1, 5, 20] })
        for (const value of observed) buckets.observe(value)
        const text = await registry.metrics()
        for (const bound of [1, 5, 20, Number.POSITIVE_INFINITY]) {
          const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : bound
          const below = observed.filter((value) => value <= bound).length
          expect(text).toContain(`b_bucket{le="${le}"} ${below}\n`)
        }
        expect(text).toContain(`b_sum ${observed.reduce((sum, value) => sum + value, 0)}\n`)
      }),
    )
  })

  test('has the process metrics by default', async () => {
    const text = await createTelemetry().registry.metrics()
    expect(text).toContain('sallyport_process_cpu_seconds_total')
    expect(text).toContain('sallyport_nodejs_eventloop_lag_seconds')
  })
})

describe('the admin server', () => {
  const serve = (pieces: readonly ReadyPiece[] = []) => {
    const { registry } = createTelemetry({ defaults: false })
    const admin = createAdminServer({ logger, tls: null })
    addHealthRoutes(admin, { registry, pieces })
    return admin
  }

  test('is alive', async () => {
    const answer = await serve().inject('/healthz')
    expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'alive' }])
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store' })
  })

  test('is ready when every piece is, and says which is not', async () => {
    let reason: string | undefined = 'no snapshot of crm'
    const admin = serve([
      { name: 'policy', check: () => undefined },
      { name: 'catalog', check: () => reason },
    ])
    const waiting = await admin.inject('/readyz')
    expect([waiting.statusCode, waiting.json()]).toEqual([
      503,
      { status: 'not ready', failing: [{ name: 'catalog', reason }] },
    ])
    reason = undefined
    expect((await admin.inject('/readyz')).statusCode).toBe(200)
  })

  test('takes a check that throws for a piece that is not ready, and does not repeat it', async () => {
    const admin = serve([
      {
        name: 'audit',
        check: () => {
          throw databaseError('hunter2')
        },
      },
    ])
    const answer = await admin.inject('/readyz')
    expect(answer.statusCode).toBe(503)
    expect(answer.json().failing).toEqual([{ name: 'audit', reason: 'check failed: 23505' }])
  })

  test('gives the metrics in the text format', async () => {
    const answer = await serve().inject('/metrics')
    expect(answer.headers['content-type']).toContain('text/plain; version=0.0.4')
    expect(answer.body).toContain('sallyport_sessions_active 0')
  })

  test('answers errors of other routes without what is in them, and logs them once', async () => {
    const admin = serve()
    admin.get('/broken', async () => {
      throw databaseError("near 'hunter2'")
    })
    admin.post('/tokens', async () => ({}))
    const broken = await admin.inject('/broken')
    expect([broken.statusCode, broken.json()]).toMatchObject([500, { error: 'internal' }])
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain('hunter2')
    expect((await admin.inject('/missing')).json()).toMatchObject({ error: 'not_found' })
    const large = await admin.inject({
      method: 'POST',
      url: '/tokens',
      payload: { a: 'x'.repeat(ADMIN_BODY_BYTES_MAX) },
    })
    expect([large.statusCode, large.json()]).toMatchObject([413, { error: 'too-large' }])
  })

  test('listens, and closes with clients connected', async () => {
    const admin = serve()
    const url = await admin.listen({ host: '127.0.0.1', port: 0 })
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    await admin.close()
    await expect(fetch(`${url}/healthz`)).rejects.toThrow()
  })
})
