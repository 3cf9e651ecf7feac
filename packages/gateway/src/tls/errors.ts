/** Why a certificate, key or TLS setting can't be used. Messages name files, never their content. */

export type TlsErrorCode =
  | 'file-unreadable'
  | 'certificate-invalid'
  | 'key-invalid'
  /** The private key is not the one of the certificate. */
  | 'key-mismatch'
  /** Only one of certificate and key is there. */
  | 'pair-incomplete'
  /** A TLS mode without what it needs, or options that exclude each other. */
  | 'settings-invalid'
  /** Not a host name or address. */
  | 'host-invalid'

export class TlsError extends Error {
  readonly code: TlsErrorCode

  constructor(code: TlsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TlsError'
    this.code = code
  }
}
