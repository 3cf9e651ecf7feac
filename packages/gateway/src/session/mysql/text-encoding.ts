/** A client's texts between bytes and characters, in the character sets a session may use. */
import { isAscii, isUtf8 } from 'node:buffer'
import type { ClientCharset } from '@sallyport/protocol-mysql'

type SingleByte = Exclude<ClientCharset, 'utf8mb4' | 'utf8mb3' | 'ascii'>

/** What the Encoding Standard calls them, and the bytes that the servers read otherwise, or as nothing. */
const ENCODINGS: Readonly<Record<SingleByte, { readonly label: string; readonly not: string }>> = {
  latin1: { label: 'windows-1252', not: '' },
  latin2: { label: 'iso-8859-2', not: '' },
  latin5: {
    label: 'windows-1254',
    not: '8082838485868788898a8b8c8e9192939495969798999a9b9c9e9f',
  },
  latin7: { label: 'iso-8859-13', not: '' },
  cp1250: { label: 'windows-1250', not: '8183889098' },
  cp1251: { label: 'windows-1251', not: '98' },
  cp1256: { label: 'windows-1256', not: '8a8f989a9faac0ff' },
  cp1257: { label: 'windows-1257', not: '8183888a8c90989a9c9fa1a5' },
  cp866: { label: 'ibm866', not: 'fcfd' },
  koi8r: { label: 'koi8-r', not: '' },
  koi8u: { label: 'koi8-u', not: '95aebe' },
  macroman: { label: 'macintosh', not: '' },
}

interface Table {
  /** By byte; null: no character. */
  readonly characters: readonly (string | null)[]
  readonly bytes: ReadonlyMap<string, number>
}

const tables = new Map<SingleByte, Table>()

/** A text as `decodeText` gives it, and its bytes as latin1, one character a byte: mostly one string. */
export function readText(
  buf: Buffer,
  start: number,
  end: number,
  charset: ClientCharset | null,
): { readonly bytes: string; readonly text: string | null } {
  const bytes = buf.toString('latin1', start, end)
  // In all of these character sets ASCII is ASCII.
  const isPlain = charset !== null && isAscii(buf.subarray(start, end))
  return { bytes, text: isPlain ? bytes : decodeText(buf, start, end, charset) }
}

/** Null: not a text of that character set, or of one that cannot be read by its bytes. */
export function decodeText(
  buf: Buffer,
  start: number,
  end: number,
  charset: ClientCharset | null,
): string | null {
  switch (charset) {
    case null:
      return null
    case 'utf8mb4':
    case 'utf8mb3': {
      const bytes = buf.subarray(start, end)
      return isUtf8(bytes) ? bytes.toString('utf8') : null
    }
    default:
      if (isAscii(buf.subarray(start, end))) return buf.toString('latin1', start, end)
      return charset === 'ascii' ? null : decodeBytes(buf, start, end, tableOf(charset))
  }
}

/** The bytes again of what `decodeText` gave; null: it was not readable. Throws where it has no such character. */
export function encodeText(text: string, charset: ClientCharset | null): Buffer | null {
  if (charset === null) return null
  if (charset === 'utf8mb4' || charset === 'utf8mb3') return Buffer.from(text, 'utf8')
  const { bytes } = charset === 'ascii' ? NO_TABLE : tableOf(charset)
  return Buffer.from(Array.from(text, (character) => byteOf(character, bytes)))
}

const NO_TABLE: Pick<Table, 'bytes'> = { bytes: new Map() }

function byteOf(character: string, bytes: ReadonlyMap<string, number>): number {
  const code = character.charCodeAt(0)
  const byte = code < 0x80 ? code : bytes.get(character)
  if (byte === undefined) throw new Error('a character that the session’s character set has not')
  return byte
}

function decodeBytes(
  buf: Buffer,
  start: number,
  end: number,
  { characters }: Table,
): string | null {
  let text = ''
  for (let i = start; i < end; i++) {
    const character = characters[buf[i] ?? 0] ?? null
    if (character === null) return null
    text += character
  }
  return text
}

function tableOf(charset: SingleByte): Table {
  const known = tables.get(charset)
  if (known !== undefined) return known
  const { label, not } = ENCODINGS[charset]
  const unreadable = new Set(Buffer.from(not, 'hex'))
  const decoder = new TextDecoder(label)
  const characters = Array.from({ length: 256 }, (_, byte) =>
    unreadable.has(byte) ? null : decoder.decode(Buffer.of(byte)),
  )
  const bytes = new Map(characters.flatMap((one, byte) => (one === null ? [] : [[one, byte]])))
  const table = { characters, bytes }
  tables.set(charset, table)
  return table
}
