/** When the admin address says that clients may be sent here. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type RunningIssuer, startIssuer } from '../support/issuer.ts'
import { freePort } from '../support/ports.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

let database: TestDatabase
let gateway: TestGateway
let issuer: RunningIssuer | undefined
let port: number

beforeAll(async () => {
  database = await usePostgres()
  port = await freePort()
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    policies: [new URL('../../policies/allow-everything.yaml', import.meta.url)],
    identity: { issuers: [{ issuer: `http://127.0.0.1:${port}`, audience: 'sallyport' }] },
    config: { admin: { port: 0 } },
  })
})
afterAll(async () => {
  await gateway.close()
  await issuer?.close()
  await database.drop()
})

function get(path: string): Promise<Response> {
  const { host, port: adminPort } = gateway.running?.admin ?? { host: '', port: 0 }
  return fetch(`http://${host}:${adminPort}${path}`)
}

test('is alive but not ready while its issuer is down, and ready by itself once it is up', async () => {
  expect((await get('/healthz')).status).toBe(200)
  const waiting = await get('/readyz')
  expect(waiting.status).toBe(503)
  expect(await waiting.json()).toMatchObject({ failing: [{ name: 'issuers' }] })
  issuer = await startIssuer({ port, users: [{ sub: 'ada', groups: [] }], audience: 'sallyport' })
  await expect
    .poll(async () => (await get('/readyz')).status, { timeout: 40_000, interval: 500 })
    .toBe(200)
})

test('metrics are Prometheus text with the names the README gives', async () => {
  const text = await (await get('/metrics')).text()
  expect(text).toMatch(/^# TYPE sallyport_sessions_active gauge$/m)
  expect(text).toMatch(/^# TYPE sallyport_statements_total counter$/m)
})
