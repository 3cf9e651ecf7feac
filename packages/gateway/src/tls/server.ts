/**
 * The certificate that clients see. It is read from files, checked as a pair, and read again when the
 * files change; connections that are already open keep theirs. A pair that can't be used leaves the
 * old one in force and says so.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { TlsError } from './errors.ts'
import { filesMark, isWorldReadable, readPem } from './files.ts'

/** How often the files are looked at, milliseconds. */
export const CERTIFICATE_POLL_MS = 10_000
/** A certificate with less time left than this is reported when it is loaded, milliseconds. */
export const EXPIRY_WARNING_MS = 14 * 86_400_000
/** PostgreSQL's protocol name in ALPN; a client of direct TLS must offer it (protocol §54.2.11). */
export const ALPN_POSTGRESQL = 'postgresql'
/** Oldest TLS version on either leg. */
export const TLS_VERSION_MIN = 'TLSv1.2'

export type ServerTlsEvent =
  | { readonly kind: 'loaded'; readonly fingerprint: string; readonly notAfter: Date }
  | { readonly kind: 'reload-failed'; readonly error: TlsError }
  | { readonly kind: 'key-world-readable'; readonly path: string }
  | { readonly kind: 'expires-soon'; readonly notAfter: Date }

/** PEM: a certificate with its intermediates, and its key. */
export interface PemPair {
  readonly cert: Buffer
  readonly key: Buffer
}

export interface ServerTlsOptions {
  /** PEM: the certificate, then its intermediates. */
  readonly certFile: string
  /** PEM, not encrypted. */
  readonly keyFile: string
  /** Wall clock, milliseconds. */
  readonly now: () => number
  readonly onEvent?: (event: ServerTlsEvent) => void
  /** Told of every pair that comes into force, the first one too: for servers that keep their own. */
  readonly onPair?: (pair: PemPair) => void
}

/** What `new TLSSocket(socket, …)` takes for an accepted connection. */
export interface AcceptOptions {
  readonly isServer: true
  readonly secureContext: SecureContext
  readonly ALPNProtocols: string[]
}

interface Pair {
  readonly secureContext: SecureContext
  readonly certificate: X509Certificate
  readonly mark: string
}

/** The pair in force; made by `loadServerTls`. */
export interface ServerTls {
  /** For the next connection. A client that offers ALPN without `postgresql` is refused by TLS itself. */
  acceptOptions(): AcceptOptions
  /** SHA-256 of the certificate, as `AB:CD:…`. */
  readonly fingerprint: string
  readonly notAfter: Date
  /** The certificate itself, DER, as channel binding hashes it. The bytes are a copy. */
  readonly certificate: Uint8Array
  /** Looks at the files now (SIGHUP). True when another certificate is in force; never rejects. */
  reload(): Promise<boolean>
  /** Stops looking at the files. */
  [Symbol.dispose](): void
}

/** Throws TlsError when the pair can't be used. */
export async function loadServerTls(options: ServerTlsOptions): Promise<ServerTls> {
  const pair = await loadPair(options)
  await report(pair, options)
  return new WatchedPair(options, pair)
}

class WatchedPair implements ServerTls {
  readonly #options: ServerTlsOptions
  readonly #timer: NodeJS.Timeout
  #pair: Pair
  #checking: Promise<boolean> | undefined
  #failedMark: string | undefined

  constructor(options: ServerTlsOptions, pair: Pair) {
    this.#options = options
    this.#pair = pair
    this.#timer = setInterval(() => void this.reload(), CERTIFICATE_POLL_MS) // reload never rejects
    this.#timer.unref()
  }

  acceptOptions(): AcceptOptions {
    return {
      isServer: true,
      secureContext: this.#pair.secureContext,
      ALPNProtocols: [ALPN_POSTGRESQL],
    }
  }

  get fingerprint(): string {
    return this.#pair.certificate.fingerprint256
  }

  get notAfter(): Date {
    return this.#pair.certificate.validToDate
  }

  get certificate(): Uint8Array {
    return Uint8Array.from(this.#pair.certificate.raw)
  }

  reload(): Promise<boolean> {
    this.#checking ??= this.#reloadIfChanged().finally(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  async #reloadIfChanged(): Promise<boolean> {
    const { certFile, keyFile } = this.#options
    let mark: string | undefined
    try {
      mark = await filesMark([certFile, keyFile])
      if (mark === this.#pair.mark || mark === this.#failedMark) return false
      const pair = await loadPair(this.#options)
      this.#failedMark = undefined
      this.#pair = pair
      await report(pair, this.#options)
      return true
    } catch (error) {
      // Said once per state of the files: a half-written pair is not news every ten seconds.
      const failed = mark ?? 'missing'
      if (this.#failedMark !== failed) {
        this.#failedMark = failed
        const known = error instanceof TlsError ? error : invalid(certFile, error)
        this.#options.onEvent?.({ kind: 'reload-failed', error: known })
      }
      return false
    }
  }
}

async function report({ certificate }: Pair, options: ServerTlsOptions): Promise<void> {
  const { onEvent, keyFile, now } = options
  if (onEvent === undefined) return
  const notAfter = certificate.validToDate
  onEvent({ kind: 'loaded', fingerprint: certificate.fingerprint256, notAfter })
  if (await isWorldReadable(keyFile)) onEvent({ kind: 'key-world-readable', path: keyFile })
  if (notAfter.getTime() - now() < EXPIRY_WARNING_MS) onEvent({ kind: 'expires-soon', notAfter })
}

async function loadPair({ certFile, keyFile, onPair }: ServerTlsOptions): Promise<Pair> {
  const mark = await filesMark([certFile, keyFile])
  const [cert, key] = [await readPem(certFile), await readPem(keyFile)]
  const certificate = parseCertificate(cert, certFile)
  if (!certificate.checkPrivateKey(parseKey(key, keyFile))) {
    throw new TlsError('key-mismatch', `\`${keyFile}\` is not the key of \`${certFile}\``)
  }
  try {
    const secureContext = createSecureContext({ cert, key, minVersion: TLS_VERSION_MIN })
    onPair?.({ cert, key })
    return { secureContext, certificate, mark }
  } catch (cause) {
    throw invalid(certFile, cause)
  }
}

function parseCertificate(pem: Buffer, path: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw invalid(path, cause)
  }
}

function parseKey(pem: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    // No cause: an error of the key parser may show what it read.
    throw new TlsError('key-invalid', `\`${path}\` is not an unencrypted private key in PEM`)
  }
}

function invalid(path: string, cause: unknown): TlsError {
  return new TlsError('certificate-invalid', `\`${path}\` is not a usable certificate`, { cause })
}
