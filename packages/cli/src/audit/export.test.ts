import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuditLog } from '@sallyport/audit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../testing.ts'

let directory: string

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-export-'))
  const log = await openAuditLog({ directory, now: Date.now, index: false })
  log.append({ type: 'config-loaded', v: 1, version: 'a' })
  await log.close()
})
afterAll(() => rmSync(directory, { recursive: true }))

const linesOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('audit export', () => {
  test('gives the records in order, and with a cursor only what is new', async () => {
    const cursor = join(directory, 'cursor')
    const first = await run(['audit', 'export', '-d', directory, '--cursor', cursor])
    expect(linesOf(first.stdout).map((line) => line['seq'])).toEqual([1, 2, 3])
    const again = await run(['audit', 'export', '-d', directory, '--cursor', cursor])
    expect(again.stdout).toBe('')
  })

  test('speaks ECS', async () => {
    const { stdout } = await run(['audit', 'export', '-d', directory, '--format', 'ecs'])
    expect(linesOf(stdout)[1]).toMatchObject({ event: { action: 'config-loaded', sequence: 2 } })
  })

  test('speaks OCSF', async () => {
    const { stdout } = await run(['audit', 'export', '-d', directory, '--format', 'ocsf'])
    expect(linesOf(stdout)[1]).toMatchObject({
      class_uid: 6003,
      api: { operation: 'config-loaded' },
    })
  })

  test('sends to a receiver until it takes them', async () => {
    const bodies: string[] = []
    let refusals = 1
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      request.on('end', () => {
        if (refusals-- > 0) response.writeHead(503)
        else bodies.push(body)
        response.end()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const to = `http://127.0.0.1:${port}/`
    const { exit, stderr } = await run(['audit', 'export', '-d', directory, '--to', to])
    server.close()
    expect(exit).toBe(0)
    expect(stderr).toContain('status 503')
    expect(bodies.flatMap(linesOf).map((line) => line['seq'])).toEqual([1, 2, 3])
  })

  test.each([
    [['--format', 'xml'], 'jsonl, ecs, ocsf'],
    [['--to', 'http://example.com/'], 'https'],
  ])('refuses %j', async (flags, words) => {
    const { exit, stderr } = await run(['audit', 'export', '-d', directory, ...flags])
    expect(exit).toBe(2)
    expect(stderr).toContain(words)
  })
})
