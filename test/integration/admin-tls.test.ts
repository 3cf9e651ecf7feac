/** The admin address with TLS: a person and a program reach it by its certificate, which may change while it runs. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { get } from 'node:https'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCertificateAuthority } from '../support/certs.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const CLI = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const EVERYTHING = new URL('../../policies/allow-everything.yaml', import.meta.url)

let database: TestDatabase
let gateway: TestGateway
let url = ''

beforeAll(async () => {
  database = await usePostgres()
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    policies: [EVERYTHING],
    config: {
      admin: { port: await freePort(), tls: { certificate: 'server.crt', key: 'server.key' } },
    },
  })
  url = `https://localhost:${gateway.running?.admin?.port}`
})
afterAll(async () => {
  await gateway?.close()
  await database?.drop()
})

async function sallyport(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const token = await gateway.token({ subject: 'ann', kind: 'human' })
  const given = { PATH: process.env['PATH'] ?? '', HOME: gateway.directory, SALLYPORT_TOKEN: token }
  return promisify(execFile)(process.execPath, [CLI, ...args], { env: { ...given, ...env } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr }),
  )
}

test('health and metrics are there over HTTPS, and nothing is over HTTP', async () => {
  const asked = get(`${url}/readyz`, { ca: gateway.ca })
  const [response] = await once(asked, 'response')
  response.resume()
  expect(response.statusCode).toBe(200)
  await expect(fetch(`${url.replace('https', 'http')}/readyz`)).rejects.toThrow()
})

test('the command line trusts it by --ca or SALLYPORT_CA, and says so where it does not', async () => {
  const listed = await sallyport(['sessions', 'ls', '--json', '--url', url, '--ca', gateway.caFile])
  expect(listed).toMatchObject({ code: 0 })
  const narrow = await sallyport(['token', 'exchange', '--url', url, '--for', '5m'], {
    SALLYPORT_CA: gateway.caFile,
  })
  expect(narrow.stdout).toMatch(/^spt_/)
  const refused = await sallyport(['sessions', 'ls', '--url', url])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toMatch(/give --ca/)
})

test('the doctor finds it running', async () => {
  const { stdout, stderr } = await sallyport(['doctor', '--config', gateway.configFile])
  expect(stdout + stderr).toMatch(/a gateway is running and ready/)
})

test('another certificate is shown once it is there and the configuration is read again', async () => {
  const before = await shown()
  const authority = await createCertificateAuthority('another')
  const { cert, key } = await authority.server(['localhost'])
  await writeFile(join(gateway.directory, 'server.crt'), cert)
  await writeFile(join(gateway.directory, 'server.key'), key, { mode: 0o600 })
  await gateway.running?.reload()
  expect(await shown()).not.toBe(before)
})

async function shown(): Promise<string> {
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    port: Number(new URL(url).port),
    servername: 'localhost',
    rejectUnauthorized: false,
  })
  await once(socket, 'secureConnect')
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}
