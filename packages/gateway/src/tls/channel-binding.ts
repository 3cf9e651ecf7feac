/**
 * Channel binding data of type `tls-server-end-point` (RFC 5929 §4.1), for SCRAM-SHA-256-PLUS: the
 * hash of the server's certificate under the hash function of that certificate's own signature, or
 * SHA-256 where that is MD5 or SHA-1.
 *
 *     Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm AlgorithmIdentifier, … }
 *     AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }
 */
import { createHash } from 'node:crypto'

const SEQUENCE = 0x30
const OBJECT_IDENTIFIER = 0x06
const CONTEXT_0 = 0xa0

type Hash = 'sha224' | 'sha256' | 'sha384' | 'sha512'

/** By signature algorithm; keys are the DER content of the OID in hex. */
const HASH_OF_SIGNATURE: ReadonlyMap<string, Hash> = new Map([
  ['2a864886f70d010104', 'sha256'], // md5WithRSAEncryption: MD5 is replaced
  ['2a864886f70d010105', 'sha256'], // sha1WithRSAEncryption: SHA-1 is replaced
  ['2a864886f70d01010e', 'sha224'],
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2a8648ce3d0401', 'sha256'], // ecdsa-with-SHA1: SHA-1 is replaced
  ['2a8648ce3d040301', 'sha224'],
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
])
const RSASSA_PSS = '2a864886f70d01010a'
/** By hash algorithm, for the parameters of RSASSA-PSS. */
const HASH_OF_OID: ReadonlyMap<string, Hash> = new Map([
  ['2b0e03021a', 'sha256'], // SHA-1 is replaced
  ['608648016503040204', 'sha224'],
  ['608648016503040201', 'sha256'],
  ['608648016503040202', 'sha384'],
  ['608648016503040203', 'sha512'],
])

/**
 * Binding data for a certificate in DER. Undefined where RFC 5929 defines none (Ed25519 and other
 * signatures without a hash of their own) and for bytes that are no certificate: SCRAM then goes
 * without channel binding.
 */
export function tlsServerEndPoint(certificate: Uint8Array): Uint8Array | undefined {
  const hash = signatureHash(certificate)
  return hash === undefined ? undefined : createHash(hash).update(certificate).digest()
}

function signatureHash(certificate: Uint8Array): Hash | undefined {
  const outer = readElement(certificate, SEQUENCE)
  const tbs = outer && readElement(outer.content, SEQUENCE)
  const algorithm = tbs && readElement(tbs.rest, SEQUENCE)
  const oid = algorithm && readElement(algorithm.content, OBJECT_IDENTIFIER)
  if (oid === undefined) return undefined
  const name = hex(oid.content)
  return name === RSASSA_PSS ? pssHash(oid.rest) : HASH_OF_SIGNATURE.get(name)
}

/** RFC 4055 §3.1: `SEQUENCE { hashAlgorithm [0] AlgorithmIdentifier DEFAULT sha1, … }`. */
function pssHash(parameters: Uint8Array): Hash | undefined {
  const fields = readElement(parameters, SEQUENCE)
  if (fields === undefined) return undefined
  if (fields.content[0] !== CONTEXT_0) return 'sha256'
  const tagged = readElement(fields.content, CONTEXT_0)
  const algorithm = tagged && readElement(tagged.content, SEQUENCE)
  const oid = algorithm && readElement(algorithm.content, OBJECT_IDENTIFIER)
  return oid && HASH_OF_OID.get(hex(oid.content))
}

/** One DER element with this tag at the start of `bytes`; views into `bytes`. */
function readElement(
  bytes: Uint8Array,
  tag: number,
): { readonly content: Uint8Array; readonly rest: Uint8Array } | undefined {
  const first = bytes[1]
  if (bytes[0] !== tag || first === undefined) return undefined
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  // 0x80 is BER's indefinite length; over three length bytes is over 16 MiB.
  if (first === 0x80 || lengthBytes > 3) return undefined
  const start = 2 + lengthBytes
  let length = first < 0x80 ? first : 0
  for (const byte of bytes.subarray(2, start)) length = length * 256 + byte
  if (start + length > bytes.length) return undefined
  return { content: bytes.subarray(start, start + length), rest: bytes.subarray(start + length) }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
