/** Shared by this folder's tests: a sink, and one-call masking of text and binary cells. */

import { createSecretKey } from 'node:crypto'
import type { CellMask } from '@sallyport/protocol-wire'
import type { ColumnMask } from '../model.ts'
import { compileCellMask } from './cell.ts'
import { Scratch } from './sink.ts'
import { type MaskSpec, strengthOf } from './spec.ts'
import type { CellType } from './types.ts'

export const KEYS = { hmac: createSecretKey(Buffer.alloc(32, 7)) }

export function columnMask(spec: MaskSpec): ColumnMask {
  return {
    spec,
    strength: strengthOf(spec),
    derived: 'redact',
    predicates: 'equality',
    probes: null,
    groupMin: null,
    names: ['test'],
    column: { schema: 'public', relation: 'customers', column: 'email' },
  }
}

/** Runs a mask on bytes standing in the middle of a larger buffer, as cells do; null is SQL NULL. */
export function run(mask: CellMask, cell: Buffer): Buffer | null {
  const src = Buffer.concat([Buffer.from('<<'), cell, Buffer.from('>>')])
  const out = new Scratch()
  out.at = 5
  const length = mask(src, 2, 2 + cell.length, out)
  if (length === -1) {
    if (out.at !== 5) throw new Error('wrote bytes and said NULL')
    return null
  }
  if (out.at !== 5 + length) throw new Error('the length does not match what was written')
  return Buffer.from(out.buf.subarray(5, out.at))
}

export const postgres = (typeId: number, format: CellType['format'] = 'text'): CellType => ({
  engine: 'postgres',
  typeId,
  format,
})

export function maskText(spec: MaskSpec, value: string, typeId = 25): string | null {
  const mask = compileCellMask(columnMask(spec), postgres(typeId), KEYS)
  return run(mask, Buffer.from(value))?.toString('utf8') ?? null
}

export function maskBinary(spec: MaskSpec, value: Buffer, typeId: number): Buffer | null {
  return run(compileCellMask(columnMask(spec), postgres(typeId, 'binary'), KEYS), value)
}
