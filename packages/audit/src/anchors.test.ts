import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { anchorToAll, anchorToStore, anchorToWebhook } from './anchors.ts'
import type { SignedHead } from './event.ts'
import { openAuditLog } from './open.ts'
import { publicKeyIn, temporaryDirectory } from './testing.ts'
import { verifyLog } from './verify.ts'

test('heads that a webhook and a store received prove the log, and that it was cut', async () => {
  const received: string[] = []
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => received.push(chunk.toString()))
    request.on('end', () => response.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const objects = new Map<string, string>()
  const store = {
    put: async (name: string, content: Uint8Array) => {
      objects.set(name, Buffer.from(content).toString())
    },
  }
  const directory = temporaryDirectory()
  const anchor = anchorToAll([
    anchorToWebhook(new URL(`http://127.0.0.1:${port}/`)),
    anchorToStore(store),
  ])
  const log = await openAuditLog({ directory, now: Date.now, index: false, anchor })
  await log.close()
  expect([...objects.values()]).toEqual(received)
  const heads = join(temporaryDirectory(), 'heads.jsonl')
  writeFileSync(heads, received.join(''))
  const options = { publicKeys: [publicKeyIn(directory)], heads: [heads] }
  expect(await verifyLog(directory, options)).toMatchObject({ ok: true, unproven: [] })
  const other = await openAuditLog({ directory: temporaryDirectory(), now: Date.now, index: false })
  await other.close()
  const report = await verifyLog(other.directory, options)
  expect(report.ok).toBe(false)
})

test('an anchor that refuses is recorded', async () => {
  const directory = temporaryDirectory()
  const refusing = async (_head: SignedHead): Promise<void> => {
    throw new Error('no')
  }
  const log = await openAuditLog({
    directory,
    now: Date.now,
    index: false,
    anchor: anchorToAll([refusing]),
  })
  expect(log.append({ type: 'config-loaded', v: 1, version: 'x' })).toBe(3)
  await log.close()
})
