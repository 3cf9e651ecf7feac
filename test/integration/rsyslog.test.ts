/** A log exported to a real rsyslogd on loopback: over TCP and TLS octet-counted, and over UDP. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuditLog } from '@sallyport/audit'
import { runExport, sinkFor } from '@sallyport/gateway'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createCertificateAuthority } from '../support/certs.ts'
import { debianProgram } from '../support/debian.ts'
import { freePort } from '../support/ports.ts'

const RSYSLOGD = debianProgram('rsyslogd', ['rsyslog', 'rsyslog-gnutls'])
const SOON = { timeout: 60_000, interval: 100 }
const VERSIONS = ['plain', 'ü and 漢字', '"quoted" \\ and [brackets]', 'x'.repeat(3_000)]

/** What rsyslog takes a message apart into, one a line. */
const configOf = (folder: string, ports: { tcp: number; udp: number; tls: number }): string => `
global(workDirectory="${folder}" maxMessageSize="64k"
  parser.escapeControlCharactersOnReceive="off"
  DefaultNetstreamDriverCAFile="${folder}/ca.crt"
  DefaultNetstreamDriverCertFile="${folder}/server.crt"
  DefaultNetstreamDriverKeyFile="${folder}/server.key")
module(load="imudp")
module(load="imtcp")
template(name="parts" type="string" string="%inputname% %syslogfacility% %syslogseverity% %app-name% %msgid% %timestamp:::date-rfc3339% %msg:::drop-last-lf%\\n")
ruleset(name="all") { action(type="omfile" file="${folder}/out" template="parts" flushOnTXEnd="on") }
input(type="imudp" address="127.0.0.1" port="${ports.udp}" ruleset="all" name="udp")
input(type="imtcp" address="127.0.0.1" port="${ports.tcp}" ruleset="all" name="tcp")
input(type="imtcp" address="127.0.0.1" port="${ports.tls}" ruleset="all" name="tls"
  streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
`

describe.skipIf(RSYSLOGD === null)('rsyslogd, of Debian’s package `rsyslog`', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sp-rsyslog-'))
  const directory = join(folder, 'audit')
  const ports = { tcp: 0, udp: 0, tls: 0 }
  let ca = ''
  let child: ReturnType<typeof spawn>

  beforeAll(async () => {
    const authority = await createCertificateAuthority()
    const { cert, key } = await authority.server(['localhost', '127.0.0.1'])
    ca = authority.cert
    for (const [name, text] of Object.entries({
      'ca.crt': ca,
      'server.crt': cert,
      'server.key': key,
    })) {
      writeFileSync(join(folder, name), text)
    }
    for (const name of ['tcp', 'udp', 'tls'] as const) ports[name] = await freePort()
    writeFileSync(join(folder, 'rsyslog.conf'), configOf(folder, ports))
    const args = ['-n', '-f', join(folder, 'rsyslog.conf'), '-i', join(folder, 'pid')]
    child = spawn(RSYSLOGD ?? '', args, { stdio: 'ignore' })
    const log = await openAuditLog({ directory, now: Date.now, index: false })
    for (const version of VERSIONS) log.append({ type: 'config-loaded', v: 1, version })
    await log.close()
  })
  afterAll(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true })
  })

  const received = (input: string): string[] => {
    const out = join(folder, 'out')
    const lines = existsSync(out) ? readFileSync(out, 'utf8').split('\n') : []
    return lines.filter((line) => line.startsWith(`${input} `))
  }

  test.each([
    ['tcp', 'syslog:', 'RFC 6587'],
    ['tls', 'syslog+tls:', 'RFC 5425'],
    ['udp', 'syslog+udp:', 'RFC 5426'],
  ] as const)(
    'takes every record over %s (%s//…, %s) as it was written',
    async (input, scheme, _) => {
      const sink = sinkFor({ to: `${scheme}//localhost:${ports[input]}`, ca, authorization: null })
      if (sink === null) throw new Error('no sink')
      const send = async (): Promise<string[]> => {
        const stop = new AbortController()
        // Until rsyslogd listens, and again where a datagram was lost.
        const run = { directory, sink, cursor: null, stop: stop.signal, onState: () => {} } as const
        await runExport({ ...run, format: 'jsonl', follow: false })
        await vi.waitFor(() => expect(received(input).length).toBeGreaterThan(VERSIONS.length), {
          timeout: 5_000,
        })
        return received(input)
      }
      const lines = await vi.waitFor(send, SOON)
      for (const version of VERSIONS) {
        const line = lines.find((one) => one.includes(JSON.stringify(version))) ?? ''
        expect(line, version.slice(0, 30)).toMatch(
          /^\S+ 13 6 sallyport config-loaded \d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+) ?\{/,
        )
        const record = JSON.parse(line.slice(line.indexOf('{')))
        expect(record.event).toEqual({ type: 'config-loaded', v: 1, version })
      }
    },
  )
})

test.skipIf(RSYSLOGD !== null)('rsyslogd cannot be had here: nothing was sent to one', () => {})
