import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect as connectTcp, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, TLSSocket } from 'node:tls'
import { generate } from 'selfsigned'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { generateSelfSigned, SELF_SIGNED_DAYS } from './self-signed.ts'
import { EXPIRY_WARNING_MS, loadServerTls, type ServerTls, type ServerTlsEvent } from './server.ts'
import { UpstreamTls, type UpstreamTlsMode } from './upstream.ts'

const HOSTS = ['localhost', '127.0.0.1', '::1']
let folder: string
let events: ServerTlsEvent[]
const closers: (() => void)[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tls-'))
  events = []
})
afterEach(async () => {
  for (const close of closers.splice(0)) close()
  await rm(folder, { recursive: true, force: true })
})

const pair = (directory: string, hosts: readonly string[] = HOSTS) =>
  generateSelfSigned({ hosts, directory: join(folder, directory), now: Date.now })

async function load(files: { certFile: string; keyFile: string }, now = Date.now) {
  const tls = await loadServerTls({ ...files, now, onEvent: (event) => events.push(event) })
  closers.push(() => tls[Symbol.dispose]())
  return tls
}

/** A server that upgrades every accepted connection as a listener does. */
async function listen(tls: ServerTls): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined)
    new TLSSocket(socket, tls.acceptOptions()).on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  // A listening TCP server has an address object.
  return (server.address() as AddressInfo).port
}

/** Fingerprint that a client sees, or the error's code. */
function handshake(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ socket: connectTcp(port, '127.0.0.1'), ...options })
    socket.once('secureConnect', () => {
      const fingerprint = socket.getPeerX509Certificate()?.fingerprint256 ?? ''
      resolve(`${fingerprint} ${socket.alpnProtocol} ${socket.getProtocol()}`)
      socket.destroy()
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

describe('generateSelfSigned', () => {
  test('makes an elliptic pair with a private key for the owner only, once', async () => {
    const made = await pair('own')
    expect(made.created).toBe(true)
    expect((await stat(made.keyFile)).mode & 0o777).toBe(0o600)
    const certificate = new X509Certificate(await readFile(made.certFile))
    expect(certificate.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: 'prime256v1' })
    expect(certificate.checkHost('localhost')).toBe('localhost')
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(certificate.checkIP('::1')).toBe('::1')
    const days = (certificate.validToDate.getTime() - Date.now()) / 86_400_000
    expect(days).toBeCloseTo(SELF_SIGNED_DAYS, 0)
    expect(await pair('own')).toEqual({ ...made, created: false })
  })

  test('does not replace a half that somebody left', async () => {
    const made = await pair('own')
    await rm(made.keyFile)
    await expect(pair('own')).rejects.toMatchObject({ code: 'pair-incomplete' })
  })

  test.each([['a,CN=b'], ['a b'], [''], ['-a'], ['a/b'], ['x'.repeat(254)]])(
    'refuses the host `%s`',
    async (host) => {
      await expect(pair('own', [host])).rejects.toMatchObject({ code: 'host-invalid' })
    },
  )

  test('refuses to make a certificate for nobody', async () => {
    await expect(pair('own', [])).rejects.toMatchObject({ code: 'host-invalid' })
  })
})

describe('the listener certificate', () => {
  test('speaks TLS 1.2 and 1.3 with and without ALPN, and refuses another protocol', async () => {
    const made = await pair('own')
    const port = await listen(await load(made))
    const ca = await readFile(made.certFile)
    const options = { ca, servername: 'localhost' }
    expect(await handshake(port, options)).toBe(`${made.fingerprint} false TLSv1.3`)
    expect(
      await handshake(port, { ...options, maxVersion: 'TLSv1.2', ALPNProtocols: ['postgresql'] }),
    ).toBe(`${made.fingerprint} postgresql TLSv1.2`)
    expect(await handshake(port, { ...options, ALPNProtocols: ['h2'] })).toMatch(/ALERT/)
    expect(
      await handshake(port, {
        ...options,
        minVersion: 'TLSv1.1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      }),
    ).toMatch(/ALERT|VERSION/)
  })

  test('changes for new connections when the files do', async () => {
    const [old, next] = [await pair('old'), await pair('next')]
    const tls = await load(old)
    const port = await listen(tls)
    expect(await tls.reload()).toBe(false)
    await rename(next.certFile, old.certFile)
    await rename(next.keyFile, old.keyFile)
    expect(await tls.reload()).toBe(true)
    expect(tls.fingerprint).toBe(next.fingerprint)
    expect(await handshake(port, { rejectUnauthorized: false })).toContain(next.fingerprint)
    expect(events.map((event) => event.kind)).toEqual(['loaded', 'loaded'])
  })

  test('stays when the new pair does not fit together, and says so once', async () => {
    const [old, next] = [await pair('old'), await pair('next')]
    const tls = await load(old)
    await rename(next.certFile, old.certFile)
    expect(await tls.reload()).toBe(false)
    expect(await tls.reload()).toBe(false)
    expect(tls.fingerprint).toBe(old.fingerprint)
    expect(events.slice(1)).toMatchObject([
      { kind: 'reload-failed', error: { code: 'key-mismatch' } },
    ])
    await rename(next.keyFile, old.keyFile)
    expect(await tls.reload()).toBe(true)
  })

  test('is not served at all when the first pair can not be used', async () => {
    const [one, two] = [await pair('one'), await pair('two')]
    const broken = join(folder, 'broken')
    await writeFile(broken, '-----BEGIN CERTIFICATE-----\nsecret-bytes')
    const cases = [
      [one.certFile, two.keyFile, 'key-mismatch'],
      [broken, one.keyFile, 'certificate-invalid'],
      [one.certFile, broken, 'key-invalid'],
      [one.certFile, join(folder, 'missing'), 'file-unreadable'],
      [folder, one.keyFile, 'file-unreadable'],
    ] as const
    for (const [certFile, keyFile, code] of cases) {
      await expect(load({ certFile, keyFile })).rejects.toMatchObject({ code })
    }
  })

  test('says when it ends soon and when everybody may read its key', async () => {
    const made = await pair('own')
    await writeFile(join(folder, 'open'), await readFile(made.keyFile), { mode: 0o644 })
    const end = new X509Certificate(await readFile(made.certFile)).validToDate.getTime()
    await load(
      { certFile: made.certFile, keyFile: join(folder, 'open') },
      () => end - EXPIRY_WARNING_MS + 1,
    )
    expect(events.map((event) => event.kind)).toEqual([
      'loaded',
      'key-world-readable',
      'expires-soon',
    ])
  })
})

describe('TLS towards the database', () => {
  test.each([
    ['prefer', 'nothing', '127.0.0.1', 'ok'],
    ['require', 'nothing', '127.0.0.1', 'ok'],
    ['require', 'right', 'elsewhere.example', 'ok'],
    ['require', 'wrong', '127.0.0.1', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['verify-ca', 'right', 'elsewhere.example', 'ok'],
    ['verify-ca', 'wrong', '127.0.0.1', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['verify-full', 'right', '127.0.0.1', 'ok'],
    ['verify-full', 'right', 'localhost', 'ok'],
    ['verify-full', 'right', 'elsewhere.example', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['verify-full', 'right', '127.0.0.2', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['verify-full', 'wrong', '127.0.0.1', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['verify-full', 'nothing', '127.0.0.1', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ] as const)('%s with %s CA, host %s: %s', async (mode, roots, host, expected) => {
    const [right, wrong] = [await pair('right'), await pair('wrong')]
    const port = await listen(await load(right))
    const caFile = { nothing: undefined, right: right.certFile, wrong: wrong.certFile }[roots]
    const upstream = new UpstreamTls({ mode, caFile })
    const seen = await handshake(port, await upstream.options(host))
    expect(seen).toBe(expected === 'ok' ? `${right.fingerprint} postgresql TLSv1.3` : expected)
  })

  test('checks the configured server name instead of the dialled host', async () => {
    const made = await pair('own')
    const port = await listen(await load(made))
    const upstream = new UpstreamTls({
      mode: 'verify-full',
      caFile: made.certFile,
      servername: 'localhost',
    })
    const options = await upstream.options('10.1.2.3')
    expect(options.servername).toBe('localhost')
    expect(await handshake(port, options)).toContain(made.fingerprint)
  })

  test('sends no address as a server name', async () => {
    expect(await new UpstreamTls({ mode: 'require' }).options('::1')).not.toHaveProperty(
      'servername',
    )
  })

  test('reads the CA file again when it changes', async () => {
    const [right, wrong] = [await pair('right'), await pair('wrong')]
    const port = await listen(await load(right))
    const caFile = join(folder, 'roots.pem')
    await writeFile(caFile, await readFile(wrong.certFile))
    const upstream = new UpstreamTls({ mode: 'verify-full', caFile })
    expect(await handshake(port, await upstream.options('127.0.0.1'))).toMatch(/SELF_SIGNED/)
    await writeFile(caFile, await readFile(right.certFile))
    expect(await handshake(port, await upstream.options('127.0.0.1'))).toContain(right.fingerprint)
    await rm(caFile)
    await expect(upstream.options('127.0.0.1')).rejects.toMatchObject({ code: 'file-unreadable' })
  })

  test('presents its client certificate', async () => {
    const made = await pair('own')
    const client = await generate([{ name: 'commonName', value: 'gateway' }], { keyType: 'ec' })
    const files = { certFile: join(folder, 'c.crt'), keyFile: join(folder, 'c.key') }
    await writeFile(files.certFile, client.cert)
    await writeFile(files.keyFile, client.private)
    const tls = await load(made)
    const server = createServer((socket) => {
      const secure = new TLSSocket(socket, {
        ...tls.acceptOptions(),
        requestCert: true,
        rejectUnauthorized: false,
      })
      secure.once('data', () => secure.end(secure.getPeerX509Certificate()?.subject ?? 'nobody'))
    })
    closers.push(() => server.close())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const upstream = new UpstreamTls({ mode: 'require', ...files })
    const socket = connect({
      socket: connectTcp((server.address() as AddressInfo).port, '127.0.0.1'),
      ...(await upstream.options('localhost')),
    })
    socket.write('who am I')
    const seen = (await socket.toArray()).join('')
    expect(seen).toBe('CN=gateway')
  })

  test.each([
    [{ mode: 'verify-ca' }],
    [{ mode: 'prefer', caFile: '/ca' }],
    [{ mode: 'disable', caFile: '/ca' }],
    [{ mode: 'require', certFile: '/c' }],
    [{ mode: 'require', keyFile: '/k' }],
  ] as const)('refuses settings that contradict each other: %j', (settings) => {
    expect(() => new UpstreamTls(settings)).toThrow(
      expect.objectContaining({ code: 'settings-invalid' }),
    )
  })

  test.each([
    ['disable', false, false],
    ['prefer', true, false],
    ['require', true, true],
    ['verify-full', true, true],
  ] as const)('%s: asked for %s, required %s', (mode: UpstreamTlsMode, wanted, required) => {
    expect(new UpstreamTls({ mode })).toMatchObject({ wanted, required })
  })
})
