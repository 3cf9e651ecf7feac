/**
 * TLS towards the database, with the modes of libpq's sslmode:
 *
 * | mode        | asks for TLS | goes on without | checks the chain    | checks the name |
 * |-------------|--------------|-----------------|---------------------|-----------------|
 * | disable     | no           | yes             |                     |                 |
 * | prefer      | yes          | yes             | no                  | no              |
 * | require     | yes          | no              | if `caFile` is set  | no              |
 * | verify-ca   | yes          | no              | yes, needs `caFile` | no              |
 * | verify-full | yes          | no              | yes                 | yes             |
 *
 * `verify-full` without `caFile` trusts the public roots. `verify-ca` with them would accept anybody's
 * certificate and is refused, as is `prefer` with a `caFile` that it would not look at.
 * https://www.postgresql.org/docs/current/libpq-ssl.html
 */
import { isIP } from 'node:net'
import {
  type ConnectionOptions,
  checkServerIdentity,
  createSecureContext,
  type SecureContext,
} from 'node:tls'
import { TlsError } from './errors.ts'
import { filesMark, readPem } from './files.ts'
import { ALPN_POSTGRESQL, TLS_VERSION_MIN } from './server.ts'

export type UpstreamTlsMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

export interface UpstreamTlsSettings {
  readonly mode: UpstreamTlsMode
  /** PEM bundle of the roots to trust. */
  readonly caFile?: string | undefined
  /** Client certificate (PEM, with intermediates) and its unencrypted key. */
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  /** Name sent as SNI and checked by verify-full, when it is not the host that is dialled. */
  readonly servername?: string | undefined
}

/** How to open TLS on a connected socket: `tls.connect({ socket, ...options })`. */
export type UpstreamTlsOptions = Pick<
  ConnectionOptions,
  'secureContext' | 'rejectUnauthorized' | 'checkServerIdentity' | 'servername' | 'ALPNProtocols'
>

/** The same for a client that makes its own secure context. */
export interface UpstreamTlsMaterial {
  readonly ca: Buffer | undefined
  readonly cert: Buffer | undefined
  readonly key: Buffer | undefined
  readonly verifyChain: boolean
  /** The name that the certificate must be for; null: any. */
  readonly verifyName: string | null
}

export class UpstreamTls {
  readonly #settings: UpstreamTlsSettings
  #context: { readonly mark: string; readonly secureContext: SecureContext } | undefined

  /** Throws TlsError `settings-invalid` for settings that contradict each other. */
  constructor(settings: UpstreamTlsSettings) {
    validate(settings)
    this.#settings = settings
  }

  get mode(): UpstreamTlsMode {
    return this.#settings.mode
  }

  /** Is TLS asked for at all? */
  get wanted(): boolean {
    return this.#settings.mode !== 'disable'
  }

  /** Must a server that answers `N` to SSLRequest be refused? */
  get required(): boolean {
    return this.#settings.mode !== 'disable' && this.#settings.mode !== 'prefer'
  }

  /**
   * Options for one connection to `host`; files are read again when they have changed. Throws TlsError.
   */
  async options(host: string): Promise<UpstreamTlsOptions> {
    const { mode } = this.#settings
    const name = this.nameOf(host)
    return {
      secureContext: await this.#secureContext(),
      rejectUnauthorized: this.#verifiesChain,
      checkServerIdentity: (_host, certificate) =>
        mode === 'verify-full' ? checkServerIdentity(name, certificate) : undefined,
      ALPNProtocols: [ALPN_POSTGRESQL],
      // RFC 6066 §3: an address is no server name.
      ...(isIP(name) === 0 ? { servername: name } : {}),
    }
  }

  /** Throws TlsError. */
  async material(host: string): Promise<UpstreamTlsMaterial> {
    const { mode, caFile, certFile, keyFile } = this.#settings
    const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(maybePem))
    const verifyName = mode === 'verify-full' ? this.nameOf(host) : null
    return { ca, cert, key, verifyChain: this.#verifiesChain, verifyName }
  }

  /** What a server at `host` calls itself. */
  nameOf(host: string): string {
    return this.#settings.servername ?? host
  }

  get #verifiesChain(): boolean {
    const { mode, caFile } = this.#settings
    return (
      mode === 'verify-full' || mode === 'verify-ca' || (mode === 'require' && caFile !== undefined)
    )
  }

  async #secureContext(): Promise<SecureContext> {
    const { caFile, certFile, keyFile } = this.#settings
    const files = [caFile, certFile, keyFile].filter((file) => file !== undefined)
    const mark = await filesMark(files)
    if (this.#context?.mark === mark) return this.#context.secureContext
    const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(maybePem))
    try {
      const secureContext = createSecureContext({
        minVersion: TLS_VERSION_MIN,
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined || key === undefined ? {} : { cert, key }),
      })
      this.#context = { mark, secureContext }
      return secureContext
    } catch {
      // No cause: an error of the key parser may show what it read.
      throw new TlsError('certificate-invalid', `cannot use ${files.join(', ')} for TLS`)
    }
  }
}

function maybePem(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? Promise.resolve(undefined) : readPem(path)
}

function validate({ mode, caFile, certFile, keyFile }: UpstreamTlsSettings): void {
  if (mode === 'verify-ca' && caFile === undefined) {
    throw new TlsError('settings-invalid', '`verify-ca` needs a CA file')
  }
  if ((mode === 'prefer' || mode === 'disable') && caFile !== undefined) {
    throw new TlsError('settings-invalid', `\`${mode}\` would not look at the CA file`)
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new TlsError('settings-invalid', 'a client certificate and its key come together')
  }
}
