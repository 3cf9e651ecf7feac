/** A gateway sends its log on by itself, from its first record to its last, as its configuration says. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startTestGateway } from '../support/gateway.ts'
import { usePostgres } from '../support/use-postgres.ts'

test('the whole of a gateway’s log reaches the receiver, authorised', async () => {
  const types: string[] = []
  const headers = new Set<unknown>()
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    headers.add(request.headers.authorization)
    request.on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      const lines = body.split('\n').filter((line) => line !== '')
      types.push(...lines.map((line) => JSON.parse(line).metadata.event_code))
      response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const database = await usePostgres()
  onTestFinished(() => database.drop())
  const { port } = server.address() as AddressInfo
  const gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    policies: [new URL('../../policies/allow-everything.yaml', import.meta.url)],
    config: {
      audit: {
        exports: [
          {
            name: 'siem',
            to: `http://127.0.0.1:${port}/in`,
            format: 'ocsf',
            authorization: 'plain:Bearer abc',
          },
        ],
      },
    },
  })
  await gateway.close()
  expect(types).toEqual(['log-started', 'policy-loaded', 'log-stopped'])
  expect([...headers]).toEqual(['Bearer abc'])
})
