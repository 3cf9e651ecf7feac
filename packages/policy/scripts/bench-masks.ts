/**
 * Nanoseconds per cell of each mask: node packages/policy/scripts/bench-masks.ts
 * One core, one million cells over a thousand different values, best of five rounds.
 */

import { createSecretKey, randomBytes } from 'node:crypto'
import { type ByteSink, type ColumnMask, compileCellMask, type MaskSpec } from '../src/index.ts'

const VALUES = 1000
const ROUNDS = 1000
const keys = { hmac: createSecretKey(randomBytes(32)) }

class Sink implements ByteSink {
  buf = Buffer.allocUnsafe(1 << 20)
  at = 0
  ensure(extra: number): void {
    if (this.at + extra > this.buf.length) this.buf = Buffer.concat([this.buf, Buffer.alloc(extra)])
  }
}

function measure(
  name: string,
  spec: MaskSpec,
  typeId: number,
  values: readonly Buffer[],
  format: 'text' | 'binary' = 'text',
): void {
  const mask: ColumnMask = {
    spec,
    strength: 0,
    derived: 'redact',
    predicates: 'equality',
    probes: null,
    groupMin: null,
    names: [],
    column: null,
  }
  const cell = compileCellMask(mask, { engine: 'postgres', typeId, format }, keys)
  const src = Buffer.concat(values)
  const ends: number[] = []
  for (const value of values) ends.push((ends.at(-1) ?? 0) + value.length)
  const out = new Sink()
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const before = performance.now()
    for (let i = 0; i < ROUNDS; i++) {
      out.at = 0
      let start = 0
      for (let j = 0; j < VALUES; j++) {
        const end = ends[j] as number
        cell(src, start, end, out)
        start = end
      }
    }
    best = Math.min(best, ((performance.now() - before) * 1e6) / (VALUES * ROUNDS))
  }
  process.stdout.write(`${name.padEnd(44)} ${best.toFixed(0).padStart(6)} ns\n`)
}

const many = (make: (i: number) => string): Buffer[] =>
  Array.from({ length: VALUES }, (_, i) => Buffer.from(make(i)))
const cards = many((i) => `4111${String(i).padStart(12, '0')}`)
const mails = many((i) => `jane.doe${i}@example.com`)

measure('redact, text', { kind: 'redact' }, 25, mails)
measure(
  'partial, 16 characters',
  { kind: 'partial', keepFirst: 0, keepLast: 4, char: '*', sameLength: true },
  25,
  cards,
)
measure('email', { kind: 'email' }, 25, mails)
measure('hash, text, cached', { kind: 'hash', domain: '', salt: 'none' }, 25, mails)
measure(
  'hash, text of 80 bytes, never cached',
  { kind: 'hash', domain: '', salt: 'none' },
  25,
  mails.map((m) => Buffer.concat([m, Buffer.alloc(60, 0x61)])),
)
measure('tokenize, 16 digits, cached', { kind: 'tokenize', domain: '', salt: 'none' }, 25, cards)
measure(
  'truncate-date, timestamptz, text',
  { kind: 'truncate-date', unit: 'month' },
  1184,
  many((i) => `2024-05-${String((i % 28) + 1).padStart(2, '0')} 07:08:09.123456+02`),
)
measure(
  'bucket, int4, text',
  { kind: 'bucket', width: 100 },
  23,
  many((i) => String(i * 37)),
)
measure(
  'json, 120 bytes, two paths',
  { kind: 'json', paths: ['$.phone', '$.address.*'], mask: { kind: 'redact' } },
  3802,
  many(
    (i) =>
      `{"id": ${i}, "phone": "+49 30 ${i}", "address": {"street": "Main ${i}", "city": "Berlin"}, "tags": ["a", "b"], "ok": true}`,
  ),
)
measure(
  'detect, 120 bytes of prose',
  { kind: 'detect', detectors: ['card', 'email', 'phone', 'iban', 'ssn', 'api-key', 'jwt'] },
  25,
  many(
    (i) =>
      `Hello, my order ${i} has not arrived yet, and nobody answers the phone. Please write to jane${i}@example.com about it, thanks!`,
  ),
)
