/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both roles, with nonces as arguments. Checks every field, keeps
 * what it needs between messages, and never holds a password longer than the computation.
 *
 *     client-first   gs2-header n=,r=cnonce
 *     server-first   r=cnonce snonce,s=salt,i=rounds
 *     client-final   c=base64(gs2-header binding-data),r=...,p=proof
 *     server-final   v=signature  or  e=error
 *
 * https://www.rfc-editor.org/rfc/rfc5802, https://www.rfc-editor.org/rfc/rfc7677,
 * https://www.postgresql.org/docs/18/sasl-authentication.html
 */

import { createHash, createHmac, pbkdf2, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { ProtocolError, SQLSTATE } from './errors.ts'
import { SASL_MESSAGE_BYTES_MAX, SCRAM_ITERATIONS_MAX, SCRAM_NONCE_CHARS_MIN } from './limits.ts'
import { saslprep } from './saslprep.ts'

export const SCRAM_SHA_256 = 'SCRAM-SHA-256'
export const SCRAM_SHA_256_PLUS = 'SCRAM-SHA-256-PLUS'

const KEY_BYTES = 32
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
// RFC 5802 `printable`: ASCII 21 to 7e without the comma.
const NONCE = /^[\x21-\x2b\x2d-\x7e]+$/

/**
 * What a client says about channel binding. `none`: it has no binding data. `unused`: it has, but the
 * server did not offer -PLUS (a server that did will refuse: someone removed the offer).
 * `tls-server-end-point`: bound to the hash of the server's certificate (RFC 5929).
 */
export type ChannelBinding =
  | { readonly kind: 'none' }
  | { readonly kind: 'unused' }
  | { readonly kind: 'tls-server-end-point'; readonly data: Uint8Array }

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ b[i]!))
}

function bad(what: string): ProtocolError {
  return new ProtocolError('bad-authentication', 'remote', `SCRAM: ${what}`)
}

function base64(text: string | undefined, what: string): Buffer {
  if (text === undefined || !BASE64.test(text)) throw bad(`${what} is not base64`)
  return Buffer.from(text, 'base64')
}

/** The attributes `a=...,b=...` of a message, which must be exactly `names` in order, then any others. */
function attributes(message: string, names: readonly string[]): string[] {
  if (message.length > SASL_MESSAGE_BYTES_MAX) throw bad('a message over its cap')
  const parts = message.split(',')
  return names.map((name, i) => {
    const part = parts[i]
    if (part === undefined || !part.startsWith(`${name}=`))
      throw bad(`attribute \`${name}\` missing`)
    return part.slice(2)
  })
}

function checkNonce(nonce: string): void {
  if (nonce.length < SCRAM_NONCE_CHARS_MIN || !NONCE.test(nonce)) {
    throw new ProtocolError('bad-value', 'local', 'a nonce that is short or not printable')
  }
}

/** `n` as a decimal count of rounds in 1..SCRAM_ITERATIONS_MAX. */
function iterationsOf(text: string): number {
  const iterations = /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : 0
  if (iterations === 0) throw bad('an iteration count that is not one')
  if (iterations > SCRAM_ITERATIONS_MAX) {
    throw new ProtocolError(
      'too-large',
      'remote',
      `${iterations} SCRAM iterations, the cap is ${SCRAM_ITERATIONS_MAX}`,
    )
  }
  return iterations
}

function gs2HeaderOf(binding: ChannelBinding): string {
  switch (binding.kind) {
    case 'none':
      return 'n,,'
    case 'unused':
      return 'y,,'
    case 'tls-server-end-point':
      return 'p=tls-server-end-point,,'
  }
}

/** `c`: the gs2 header and the binding data, in base64. */
function bindingInput(binding: ChannelBinding): string {
  const header = Buffer.from(gs2HeaderOf(binding))
  const data = binding.kind === 'tls-server-end-point' ? binding.data : Buffer.alloc(0)
  return Buffer.concat([header, data]).toString('base64')
}

type ClientState =
  | { readonly kind: 'new' }
  | { readonly kind: 'first-sent'; readonly bare: string }
  | { readonly kind: 'challenged'; readonly withoutProof: string; readonly authMessage: string }
  | { readonly kind: 'final-sent'; readonly serverSignature: Buffer }
  | { readonly kind: 'verified' }
  | { readonly kind: 'dead' }

/**
 * The client's side of one exchange: `first`, `final` (or `challenge` and `proof`), `verify`, in this order and
 * once each.
 */
export class ScramClient {
  readonly #password: string
  readonly #nonce: string
  readonly #binding: ChannelBinding
  #state: ClientState = { kind: 'new' }

  /** `nonce`: fresh random printable text without commas, at least SCRAM_NONCE_CHARS_MIN long. */
  constructor(options: {
    readonly password: string
    readonly nonce: string
    readonly binding: ChannelBinding
  }) {
    checkNonce(options.nonce)
    this.#password = options.password
    this.#nonce = options.nonce
    this.#binding = options.binding
  }

  get mechanism(): typeof SCRAM_SHA_256 | typeof SCRAM_SHA_256_PLUS {
    return this.#binding.kind === 'tls-server-end-point' ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256
  }

  /** Whether the server has proven that it knows the password's verifier. */
  get verified(): boolean {
    return this.#state.kind === 'verified'
  }

  /** client-first-message. The user name is empty: the server takes the one of the StartupMessage. */
  first(): string {
    if (this.#state.kind !== 'new') throw this.#outOfOrder()
    const bare = `n=,r=${this.#nonce}`
    this.#state = { kind: 'first-sent', bare }
    return gs2HeaderOf(this.#binding) + bare
  }

  /** client-final-message for the server-first-message, salting the password here; see `challenge`. */
  final(serverFirst: string): string {
    const { salt, iterations } = this.challenge(serverFirst)
    return this.proof(pbkdf2Sync(saslprep(this.#password), salt, iterations, KEY_BYTES, 'sha256'))
  }

  /**
   * Takes the server-first-message: how the password is to be salted for `proof`. Throws 'bad-authentication'
   * where the server's nonce does not extend ours or a field is malformed, 'too-large' over
   * SCRAM_ITERATIONS_MAX.
   */
  challenge(serverFirst: string): ScramChallenge {
    const state = this.#state
    if (state.kind !== 'first-sent') throw this.#outOfOrder()
    this.#state = { kind: 'dead' }
    const [nonce, saltText, rounds] = attributes(serverFirst, ['r', 's', 'i']) as [
      string,
      string,
      string,
    ]
    if (
      !nonce.startsWith(this.#nonce) ||
      nonce.length <= this.#nonce.length ||
      !NONCE.test(nonce)
    ) {
      throw bad('the server nonce does not extend ours')
    }
    const salt = base64(saltText, 'the salt')
    if (salt.length === 0) throw bad('an empty salt')
    const iterations = iterationsOf(rounds)
    const withoutProof = `c=${bindingInput(this.#binding)},r=${nonce}`
    const authMessage = `${state.bare},${serverFirst},${withoutProof}`
    this.#state = { kind: 'challenged', withoutProof, authMessage }
    return { salt, iterations }
  }

  /** client-final-message; `salted`: what `saltPassword` gives for the challenge. */
  proof(salted: Uint8Array): string {
    const state = this.#state
    if (state.kind !== 'challenged') throw this.#outOfOrder()
    const { withoutProof, authMessage } = state
    const clientKey = hmac(salted, 'Client Key')
    const proof = xor(clientKey, hmac(sha256(clientKey), authMessage))
    const serverSignature = hmac(hmac(salted, 'Server Key'), authMessage)
    this.#state = { kind: 'final-sent', serverSignature }
    return `${withoutProof},p=${proof.toString('base64')}`
  }

  /** Checks the server-final-message. Throws 'authentication-proof' where its signature is not right. */
  verify(serverFinal: string): void {
    const state = this.#state
    if (state.kind !== 'final-sent') throw this.#outOfOrder()
    this.#state = { kind: 'dead' }
    if (serverFinal.startsWith('e=')) throw bad('the server reports an error')
    const [signature] = attributes(serverFinal, ['v'])
    const bytes = base64(signature, 'the server signature')
    if (bytes.length !== KEY_BYTES || !timingSafeEqual(bytes, state.serverSignature)) {
      throw new ProtocolError('authentication-proof', 'remote', 'SCRAM: incorrect server signature')
    }
    this.#state = { kind: 'verified' }
  }

  #outOfOrder(): ProtocolError {
    return new ProtocolError('illegal-call', 'local', `SCRAM client is \`${this.#state.kind}\``)
  }
}

/** How a server has a password salted. */
export interface ScramChallenge {
  readonly salt: Uint8Array
  readonly iterations: number
}

const derive = promisify(pbkdf2)

/**
 * RFC 5802 SaltedPassword, computed off this thread: milliseconds at the usual 4096 iterations. As good as the
 * password at any server that keeps it under this salt.
 */
export function saltPassword(password: string, challenge: ScramChallenge): Promise<Buffer> {
  const { salt, iterations } = challenge
  return derive(saslprep(password), salt, iterations, KEY_BYTES, 'sha256')
}

/** What a server keeps instead of a password. */
export interface ScramVerifier {
  readonly iterations: number
  readonly salt: Uint8Array
  /** 32 bytes. */
  readonly storedKey: Uint8Array
  /** 32 bytes. */
  readonly serverKey: Uint8Array
}

export function scramVerifierFor(options: {
  readonly password: string
  readonly salt: Uint8Array
  readonly iterations: number
}): ScramVerifier {
  const { password, salt, iterations } = options
  const salted = pbkdf2Sync(saslprep(password), salt, iterations, KEY_BYTES, 'sha256')
  const storedKey = sha256(hmac(salted, 'Client Key'))
  return { iterations, salt, storedKey, serverKey: hmac(salted, 'Server Key') }
}

/** As in pg_authid: `SCRAM-SHA-256$rounds:salt$StoredKey:ServerKey`. */
export function encodeScramVerifier(verifier: ScramVerifier): string {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  const { iterations, salt, storedKey, serverKey } = verifier
  return `${SCRAM_SHA_256}$${iterations}:${text(salt)}$${text(storedKey)}:${text(serverKey)}`
}

/** Reads what `encodeScramVerifier` writes. Throws 'bad-authentication' on anything else. */
export function parseScramVerifier(text: string): ScramVerifier {
  const parts = /^SCRAM-SHA-256\$([0-9]+):([^$:]+)\$([^$:]+):([^$:]+)$/.exec(text)
  if (parts === null) throw bad('a verifier of another form')
  const storedKey = base64(parts[3], 'StoredKey')
  const serverKey = base64(parts[4], 'ServerKey')
  if (storedKey.length !== KEY_BYTES || serverKey.length !== KEY_BYTES) throw bad('a key length')
  return {
    iterations: iterationsOf(parts[1]!),
    salt: base64(parts[2], 'the salt'),
    storedKey,
    serverKey,
  }
}

type ServerState =
  | { readonly kind: 'new' }
  | {
      readonly kind: 'first-sent'
      readonly binding: ChannelBinding
      readonly nonce: string
      readonly transcript: string
    }
  | { readonly kind: 'done' }

/** The server's side of one exchange: `first` then `final`, once each. */
export class ScramServer {
  readonly #verifier: ScramVerifier
  readonly #nonce: string
  readonly #endPoint: Uint8Array | null
  readonly #mechanism: string
  #state: ServerState = { kind: 'new' }

  /**
   * `mechanism`: the one the client chose. `endPoint`: the tls-server-end-point data where -PLUS was
   * offered, null where it was not. `nonce`: as for ScramClient.
   */
  constructor(options: {
    readonly verifier: ScramVerifier
    readonly nonce: string
    readonly mechanism: string
    readonly endPoint: Uint8Array | null
  }) {
    checkNonce(options.nonce)
    const { mechanism, endPoint } = options
    if (mechanism !== SCRAM_SHA_256 && (mechanism !== SCRAM_SHA_256_PLUS || endPoint === null)) {
      throw bad('a mechanism that was not offered')
    }
    this.#verifier = options.verifier
    this.#nonce = options.nonce
    this.#mechanism = mechanism
    this.#endPoint = endPoint
  }

  /** server-first-message for the client-first-message. Throws 'bad-authentication'. */
  first(clientFirst: string): string {
    if (this.#state.kind !== 'new') throw this.#outOfOrder()
    this.#state = { kind: 'done' }
    const header = /^(?:[ny]|p=[A-Za-z0-9.-]+),,/.exec(clientFirst)?.[0]
    if (header === undefined) throw bad('a gs2 header it does not know')
    const binding = this.#bindingOf(header)
    const bare = clientFirst.slice(header.length)
    const [, clientNonce] = attributes(bare, ['n', 'r']) as [string, string]
    if (!NONCE.test(clientNonce)) throw bad('a nonce that is not printable')
    const nonce = clientNonce + this.#nonce
    const salt = Buffer.from(this.#verifier.salt).toString('base64')
    const serverFirst = `r=${nonce},s=${salt},i=${this.#verifier.iterations}`
    this.#state = { kind: 'first-sent', binding, nonce, transcript: `${bare},${serverFirst}` }
    return serverFirst
  }

  #bindingOf(header: string): ChannelBinding {
    const plus = this.#mechanism === SCRAM_SHA_256_PLUS
    if (header.startsWith('p=') !== plus) throw bad('channel binding does not suit the mechanism')
    if (header === 'n,,') return { kind: 'none' }
    if (header === 'y,,') {
      // RFC 5802 §6: the client thinks -PLUS was not offered; if it was, someone took it out.
      if (this.#endPoint !== null) throw bad('the offer of channel binding did not arrive')
      return { kind: 'unused' }
    }
    if (header !== 'p=tls-server-end-point,,' || this.#endPoint === null) {
      throw bad('a type of channel binding it does not know')
    }
    return { kind: 'tls-server-end-point', data: this.#endPoint }
  }

  /**
   * server-final-message for the client-final-message. Throws 'authentication-proof' (28P01) where the
   * client does not know the password, 'bad-authentication' where the message is not well-formed.
   */
  final(clientFinal: string): string {
    const state = this.#state
    if (state.kind !== 'first-sent') throw this.#outOfOrder()
    this.#state = { kind: 'done' }
    const [binding, nonce] = attributes(clientFinal, ['c', 'r'])
    if (binding !== bindingInput(state.binding)) throw bad('channel binding check failed')
    if (nonce !== state.nonce) throw bad('the nonce came back changed')
    const proofAt = clientFinal.lastIndexOf(',p=')
    const proof = base64(clientFinal.slice(proofAt + 3), 'the proof')
    if (proofAt < 0 || proof.length !== KEY_BYTES) throw bad('a proof of another length')
    const authMessage = `${state.transcript},${clientFinal.slice(0, proofAt)}`
    const { storedKey, serverKey } = this.#verifier
    const clientKey = xor(proof, hmac(storedKey, authMessage))
    if (!timingSafeEqual(sha256(clientKey), storedKey)) {
      throw new ProtocolError('authentication-proof', 'remote', 'SCRAM: wrong password', {
        sqlstate: SQLSTATE.INVALID_PASSWORD,
      })
    }
    return `v=${hmac(serverKey, authMessage).toString('base64')}`
  }

  #outOfOrder(): ProtocolError {
    return new ProtocolError('illegal-call', 'local', `SCRAM server is \`${this.#state.kind}\``)
  }
}
