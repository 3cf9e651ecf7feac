/** JWTs, API keys and PEM private keys inside free text. See detect.ts for the shapes. */

import { type Enabled, type Found, isToken } from './detect-bytes.ts'

type Step = Found | { readonly kind: null; readonly end: number }

/** What follows a prefix must be this long to be a key and not a word. */
const SECRET_BYTES_MIN = 12
const ENTROPY_BYTES_MIN = 32
const ENTROPY_BYTES_MAX = 512
/** Bits per byte. English words joined by dashes stay below 3.9, random base64 lies above 4.4 at 32 bytes. */
const ENTROPY_BITS_MIN = 4.2

const PREFIXES: readonly Buffer[] = [
  'sk-', 'sk_live_', 'sk_test_', 'pk_live_', 'pk_test_', 'rk_live_', 'rk_test_', 'whsec_', 'ghp_', 'gho_', 'ghu_',
  'ghs_', 'ghr_', 'github_pat_', 'glpat-', 'xoxb-', 'xoxp-', 'xoxa-', 'xoxr-', 'xoxs-', 'xapp-', 'AKIA', 'ASIA',
  'AIza', 'npm_', 'pypi-', 'hf_', 'dop_v1_', 'shpat_', 'shpss_', 'sq0atp-', 'sq0csp-', 'lsv2_', 'hvs', 'spt_',
].map((text) => Buffer.from(text)) // biome-ignore format: a list of prefixes

function startsWith(src: Buffer, at: number, end: number, prefix: Buffer): boolean {
  if (at + prefix.length > end) return false
  for (let i = 0; i < prefix.length; i++) if (src[at + i] !== prefix[i]) return false
  return true
}

function runEnd(src: Buffer, at: number, end: number): number {
  let to = at
  while (to < end && isToken(src[to] as number)) to++
  return to
}

const JWT = Buffer.from('eyJ')
const DOT = 0x2e

/** `at` begins a run of token characters. */
export function findKey(enabled: Enabled, src: Buffer, at: number, end: number): Step | null {
  if (enabled.jwt && startsWith(src, at, end, JWT)) {
    const jwtEnd = endOfJwt(src, at, end)
    if (jwtEnd > 0) return { kind: 'jwt', start: at, end: jwtEnd }
  }
  if (!enabled['api-key']) return null
  const to = runEnd(src, at, end)
  if (to - at < SECRET_BYTES_MIN) return null
  const known = PREFIXES.find((prefix) => startsWith(src, at, end, prefix))
  if (known !== undefined && to - at - known.length >= SECRET_BYTES_MIN)
    return { kind: 'api-key', start: at, end: to }
  return isRandom(src, at, to) ? { kind: 'api-key', start: at, end: to } : null
}

/** header.payload.signature; the signature may be empty. 0: not one. */
function endOfJwt(src: Buffer, at: number, end: number): number {
  const header = runEnd(src, at, end)
  if (header - at < 10 || src[header] !== DOT || header >= end) return 0
  const payload = runEnd(src, header + 1, end)
  if (payload - header < 3 || src[payload] !== DOT || payload >= end) return 0
  return runEnd(src, payload + 1, end)
}

const counts = new Uint16Array(128)

/** Upper and lower case and digits mixed, and no letter much more frequent than chance. */
function isRandom(src: Buffer, at: number, end: number): boolean {
  const length = end - at
  if (length < ENTROPY_BYTES_MIN || length > ENTROPY_BYTES_MAX) return false
  counts.fill(0)
  let hasDigit = false
  let hasUpper = false
  let hasLower = false
  for (let i = at; i < end; i++) {
    const byte = src[i] as number
    counts[byte & 127] = (counts[byte & 127] as number) + 1
    if (byte <= 0x39 && byte >= 0x30) hasDigit = true
    else if (byte >= 0x61) hasLower = true
    else if (byte >= 0x41 && byte <= 0x5a) hasUpper = true
  }
  if (!hasDigit || !hasUpper || !hasLower) return false
  let bits = 0
  for (const count of counts) if (count > 0) bits -= (count / length) * Math.log2(count / length)
  return bits >= ENTROPY_BITS_MIN
}

const PEM_BEGIN = Buffer.from('-----BEGIN ')
const PEM_END = Buffer.from('-----END ')
const DASHES = Buffer.from('-----')

/** -----BEGIN … PRIVATE KEY----- to its END, or to the end of the text when there is none. */
export function findPem(src: Buffer, at: number, end: number): Found | null {
  if (!startsWith(src, at, end, PEM_BEGIN)) return null
  const label = src.toString('latin1', at, Math.min(at + 64, end))
  if (!/^-----BEGIN [A-Z0-9 ]*PRIVATE KEY/.test(label)) return null
  const close = src.indexOf(PEM_END, at)
  const tail = close < 0 || close >= end ? -1 : src.indexOf(DASHES, close + PEM_END.length)
  return {
    kind: 'api-key',
    start: at,
    end: tail < 0 || tail + DASHES.length > end ? end : tail + DASHES.length,
  }
}
