/** What masks need to know of a type, and how the tables of the engines say it. */

/** How the bytes of a cell are to be read. */
export type Shape =
  | 'text'
  | 'bpchar'
  | 'char'
  | 'json'
  | 'jsonb'
  | 'bytea'
  | 'int1'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'float4'
  | 'float8'
  | 'numeric'
  | 'uuid'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  /** Has a constant, but nothing finer than `redact` applies. */
  | 'plain'
  | 'array'
  /** No constant: NULL. */
  | 'opaque'

export interface TypeInfo {
  readonly shape: Shape
  /** The type-correct constant of `redact`, text and binary form. */
  readonly text: string
  readonly binary: Buffer
  /** Elements, for arrays. */
  readonly element: number
  readonly delimiter: string
  readonly littleEndian: boolean
  readonly unsigned: boolean
}

export const REDACTED = '[redacted]'
export const zeros = (length: number): Buffer => Buffer.alloc(length)
export const bytes = (text: string): Buffer => Buffer.from(text, 'utf8')
export const info = (shape: Shape, text: string, binary: Buffer | number): TypeInfo => ({
  shape,
  text,
  binary: typeof binary === 'number' ? zeros(binary) : binary,
  element: 0,
  delimiter: ',',
  littleEndian: false,
  unsigned: false,
})
export const plain = (text: string, binary: Buffer | number): TypeInfo =>
  info('plain', text, binary)

/** No constant is known to decode: NULL. */
export const OPAQUE = info('opaque', '', 0)
export const TEXT = info('text', REDACTED, bytes(REDACTED))
export const JSON_TEXT = `"${REDACTED}"`
