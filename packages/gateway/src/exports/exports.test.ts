/** Exports of a real log to real receivers on this machine, which take, refuse, stall and die. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttp, type Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTls } from 'node:tls'
import { type AuditLog, type ExportFormat, openAuditLog } from '@sallyport/audit'
import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { generateSelfSigned } from '../tls/self-signed.ts'
import { sinkFor } from './destination.ts'
import { runExport } from './exporter.ts'
import { headerOf } from './syslog.ts'
import { ExportWorker } from './worker.ts'

const SOON = { timeout: 20_000 }

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-exports-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function logIn(directory: string): Promise<AuditLog> {
  return openAuditLog({ directory, now: Date.now, index: false })
}

function note(log: AuditLog, ...names: readonly string[]): void {
  for (const version of names) log.append({ type: 'config-loaded', v: 1, version })
  log.flush()
}

async function listening(server: Server | HttpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Messages of an octet-counted stream, as far as it goes. */
function messagesOf(stream: Buffer): string[] {
  const messages: string[] = []
  for (let at = 0; at < stream.length; ) {
    const space = stream.indexOf(0x20, at)
    const length = Number(stream.toString('latin1', at, space))
    if (!(length > 0) || space + 1 + length > stream.length) break
    messages.push(stream.toString('utf8', space + 1, space + 1 + length))
    at = space + 1 + length
  }
  return messages
}

interface Wanted {
  readonly to: string
  readonly ca?: string
  readonly format?: ExportFormat
}

/** Runs an export until the test ends or `stop` is called. */
function exporting(directory: string, cursor: string, wanted: Wanted) {
  const sink = sinkFor({ to: wanted.to, ca: wanted.ca ?? null, authorization: 'Bearer x' })
  if (sink === null) throw new Error('no sink')
  const stop = new AbortController()
  const states: (Error | null)[] = []
  const ended = runExport({
    directory,
    format: wanted.format ?? 'jsonl',
    sink,
    cursor,
    follow: true,
    stop: stop.signal,
    onState: (error) => states.push(error),
  })
  onTestFinished(() => stop.abort())
  return {
    states,
    stop: async () => {
      stop.abort()
      await ended
    },
  }
}

const versionsOf = (lines: readonly string[]): string[] =>
  lines
    .map((line) => JSON.parse(line.slice(line.indexOf('{'))).event.version)
    .filter((version) => version !== undefined)

test('syslog over TLS gets RFC 5424 messages, octet-counted, from an authority it was told', async () => {
  const directory = folder()
  const { certFile, keyFile } = await generateSelfSigned({
    hosts: ['localhost', '127.0.0.1'],
    directory: join(directory, 'tls'),
    now: Date.now,
  })
  let received = Buffer.alloc(0)
  const pem = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
  const port = await listening(
    createTls(pem, (socket) => {
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk])
      })
      socket.on('error', () => {})
    }),
  )
  const log = await logIn(join(directory, 'audit'))
  const ca = readFileSync(certFile, 'utf8')
  const to = `syslog+tls://localhost:${port}`
  exporting(join(directory, 'audit'), join(directory, 'cursor'), { to, ca, format: 'ocsf' })
  note(log, 'ü')
  await vi.waitFor(() => expect(messagesOf(received)).toHaveLength(2), SOON)
  const [, message = ''] = messagesOf(received)
  expect(message).toMatch(
    /^<110>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ sallyport \d+ config-loaded - \{/,
  )
  const said = JSON.parse(message.slice(message.indexOf('{')))
  expect(said).toMatchObject({ class_uid: 6003, unmapped: { sallyport: { seq: 2 } } })
  const stranger = exporting(join(directory, 'audit'), join(directory, 'other'), { to })
  await vi.waitFor(() => expect(stranger.states.length).toBeGreaterThan(0), SOON)
  expect(stranger.states[0]).toBeInstanceOf(Error)
  await log.close()
})

test('a receiver that is down gets everything when it is back, in order, and nothing waits for it', async () => {
  const directory = folder()
  const audit = join(directory, 'audit')
  const log = await logIn(audit)
  let isUp = false
  const lines: string[] = []
  const port = await listening(
    createHttp((request, response) => {
      let body = ''
      request.setEncoding('utf8')
      request.on('data', (text: string) => {
        body += text
      })
      request.on('end', () => {
        if (isUp) lines.push(...body.split('\n').filter((line) => line !== ''))
        response.writeHead(isUp ? 204 : 503).end()
      })
    }),
  )
  const running = exporting(audit, join(directory, 'cursor'), { to: `http://127.0.0.1:${port}` })
  note(log, 'a', 'b')
  await vi.waitFor(() => expect(running.states).toHaveLength(1), SOON)
  // The log takes records all the while.
  for (let n = 0; n < 2_000; n++) note(log, `n${n}`)
  isUp = true
  const all = ['a', 'b', ...Array.from({ length: 2_000 }, (_, n) => `n${n}`)]
  await vi.waitFor(() => expect(versionsOf(lines)).toEqual(all), SOON)
  expect(running.states).toEqual([expect.any(Error), null])
  await log.close()
})

test('goes on after a restart where it stood, without a gap', async () => {
  const directory = folder()
  const audit = join(directory, 'audit')
  const log = await logIn(audit)
  const lines: string[] = []
  const port = await listening(
    createServer((socket) => {
      let received = Buffer.alloc(0)
      let known = 0
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk])
        const messages = messagesOf(received)
        lines.push(...messages.slice(known))
        known = messages.length
      })
    }),
  )
  const cursor = join(directory, 'cursor')
  const wanted = { to: `syslog://127.0.0.1:${port}` }
  note(log, 'a')
  const first = exporting(audit, cursor, wanted)
  await vi.waitFor(() => expect(versionsOf(lines)).toEqual(['a']), SOON)
  await first.stop()
  note(log, 'b', 'c')
  exporting(audit, cursor, wanted)
  await vi.waitFor(() => expect(versionsOf(lines)).toEqual(['a', 'b', 'c']), SOON)
  await log.close()
})

test('a receiver that stops reading stalls its own export alone, in bounded memory', async () => {
  const directory = folder()
  const audit = join(directory, 'audit')
  const log = await logIn(audit)
  const stalled: Socket[] = []
  const port = await listening(
    createServer({ pauseOnConnect: true }, (socket) => {
      socket.on('error', () => {})
      stalled.push(socket)
    }),
  )
  onTestFinished(() => {
    for (const socket of stalled) socket.destroy()
  })
  const cursor = join(directory, 'cursor')
  exporting(audit, cursor, { to: `syslog://127.0.0.1:${port}` })
  const text = 'x'.repeat(3_000)
  for (let n = 0; n < 5_000; n++) note(log, text)
  await vi.waitFor(() => expect(stalled.length).toBeGreaterThan(0), SOON)
  // Sockets of this machine take some megabytes; the rest stays in the log.
  await vi.waitFor(() => expect(readFileSync(cursor, 'utf8')).toMatch(/^1 \d+/), SOON)
  const size = log.append({ type: 'config-loaded', v: 1, version: 'last' })
  log.flush()
  expect(size).toBe(5_002)
  expect(Number(readFileSync(cursor, 'utf8').split(' ')[1])).toBeLessThan(15_000_000)
  await log.close()
})

test('the thread says when an export fails and when it goes on', async () => {
  const directory = folder()
  const audit = join(directory, 'audit')
  const log = await logIn(audit)
  let isUp = false
  const port = await listening(
    createHttp((request, response) => {
      request.resume()
      request.on('end', () => response.writeHead(isUp ? 200 : 500).end())
    }),
  )
  const news: unknown[] = []
  const plan = {
    name: 'siem',
    to: `http://127.0.0.1:${port}`,
    format: 'ecs' as const,
    ca: null,
    authorization: null,
    cursor: join(directory, 'cursor'),
  }
  const worker = new ExportWorker({ directory: audit, plans: [plan] }, (one) => news.push(one))
  await vi.waitFor(() => expect(news).toEqual([{ name: 'siem', code: 'HTTP500' }]), SOON)
  isUp = true
  await vi.waitFor(() => expect(news.at(-1)).toEqual({ name: 'siem', code: null }), SOON)
  await log.close()
  await worker.close()
})

test.each([
  ['https://siem.example/in', true],
  ['http://127.0.0.1:9/in', true],
  ['http://siem.example/in', false],
  ['syslog+tls://siem.example', true],
  ['syslog://[::1]', true],
  ['syslog://siem.example', false],
  ['file:///etc/passwd', false],
  ['siem.example:514', false],
])('records go in clear to this machine only: %s', (to, isSafe) => {
  expect(sinkFor({ to, ca: null, authorization: null }) !== null).toBe(isSafe)
})

test('a header is one line of printable characters, whatever the record says', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(8_000_000_000_000), (type, at) => {
      const header = headerOf({ seq: 1, at, prev: '', event: { type, v: 1 } })
      expect(header).toMatch(/^<1[01]\d>1 [\x21-\x7e]+ [\x21-\x7e]+ sallyport \d+ [\x21-\x7e]+ -$/)
    }),
  )
})
