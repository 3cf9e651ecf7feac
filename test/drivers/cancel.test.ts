/**
 * Cancel requests over TLS, as libpq sends them since version 17: the client waits for TLS to end as
 * TLS ends (close_notify), and takes anything else for a failed cancel. `openssl s_client` judges the
 * end of the connection by the same rule.
 */
import { spawn, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTargets, type Target, type Targets } from './targets.ts'

const CANCEL_CODE = 80877102
const openssl = spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout ?? ''

let targets: Targets
beforeAll(async () => {
  targets = await openTargets()
})
afterAll(() => targets?.[Symbol.asyncDispose]())

/** A cancel request for nobody, and what OpenSSL said about how the connection ended. */
async function cancelNobody({ host, port, caFile }: Target): Promise<string> {
  const request = Buffer.alloc(16)
  for (const [index, word] of [16, CANCEL_CODE, 4242, 4242].entries()) {
    request.writeInt32BE(word, index * 4)
  }
  const address = ['-connect', `${host}:${port}`, '-CAfile', caFile ?? '']
  const child = spawn('openssl', ['s_client', '-quiet', '-starttls', 'postgres', ...address])
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  child.stdin.on('error', () => undefined)
  while (!said.includes('verify return:1')) await sleep(20)
  child.stdin.write(request)
  await ended
  return said
}

describe('a cancel request', () => {
  test.skipIf(!openssl.startsWith('OpenSSL 3'))(
    'is answered by an orderly end of TLS',
    async () => {
      expect(await cancelNobody(targets.gateway)).not.toContain('unexpected eof')
    },
  )
})
