/**
 * `json`: masks values at paths inside json, jsonb and text cells that hold JSON. One pass over the bytes; what no
 * path names is copied as it is, so numbers keep their digits and keys their order. A document that is not strict
 * JSON, or is nested deeper than JSON_DEPTH_MAX, becomes the constant as a whole.
 */

import type { ByteSink, CellMask } from '@sallyport/protocol-wire'
import { JSON_DEPTH_MAX } from '../limits.ts'
import type { JsonStep } from './json-path.ts'
import { Scratch, writeBytes, writeSlice, writeText } from './sink.ts'

/** What a selected value becomes. */
export interface JsonLeaf {
  /** For the characters of a string, unescaped; -1 gives null. */
  readonly text: CellMask
  /** For the digits of a number; writes JSON. */
  readonly number: CellMask
  /** Null: left as it is. */
  readonly boolean: string | null
  /** An object or array; null: mask its keys and leaves instead. */
  readonly container: string | null
}

/** Thrown inside this file only: the document is not what it should be. */
class NotJson extends Error {}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Path and step reached: `steps[at…]` are still to match. */
interface State {
  readonly steps: readonly JsonStep[]
  readonly at: number
}

export function jsonMask(
  paths: readonly (readonly JsonStep[])[],
  leaf: JsonLeaf,
  options: { readonly versioned: boolean; readonly redacted: Buffer },
): CellMask {
  const start: readonly State[] = paths.map((steps) => ({ steps, at: 0 }))
  const walk = new JsonWalk(leaf)
  return (src, from, end, out) => {
    const before = out.at
    try {
      if (options.versioned) {
        if (src[from] !== 1 || from >= end) throw new NotJson()
        writeSlice(src, from, from + 1, out)
      }
      walk.document(src, options.versioned ? from + 1 : from, end, { out, states: start })
      return out.at - before
    } catch (error) {
      if (!(error instanceof NotJson)) walk.reset()
      out.at = before
      return writeBytes(options.redacted, out)
    }
  }
}

class JsonWalk {
  readonly #leaf: JsonLeaf
  readonly #raw = new Scratch()
  readonly #masked = new Scratch()
  #src: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0
  #out: ByteSink = this.#raw

  constructor(leaf: JsonLeaf) {
    this.#leaf = leaf
  }

  document(
    src: Buffer,
    start: number,
    end: number,
    to: { readonly out: ByteSink; readonly states: readonly State[] },
  ): void {
    this.#src = src
    this.#at = start
    this.#end = end
    this.#out = to.out
    this.#space()
    this.#value(to.states, 0)
    this.#space()
    if (this.#at !== end) throw new NotJson()
    this.reset()
  }

  /** Forgets the last document. */
  reset(): void {
    this.#src = Buffer.alloc(0)
    this.#out = this.#raw
  }

  #byte(): number {
    return this.#at < this.#end ? (this.#src[this.#at] as number) : -1
  }

  #space(): void {
    const from = this.#at
    for (;;) {
      const byte = this.#byte()
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break
      this.#at++
    }
    if (this.#at > from) writeSlice(this.#src, from, this.#at, this.#out)
  }

  #punctuation(byte: number): void {
    if (this.#byte() !== byte) throw new NotJson()
    writeSlice(this.#src, this.#at, ++this.#at, this.#out)
  }

  #value(states: readonly State[], depth: number): void {
    if (depth > JSON_DEPTH_MAX) throw new NotJson()
    const isSelected = states.some((state) => state.at === state.steps.length)
    const byte = this.#byte()
    const { container } = this.#leaf
    if (byte === 0x7b || byte === 0x5b) {
      if (!isSelected || container === null) {
        const inside = isSelected ? EVERYTHING : states
        return byte === 0x7b ? this.#object(inside, depth) : this.#array(inside, depth)
      }
      this.#skipContainer(depth)
      writeText(container, this.#out)
      return
    }
    const from = this.#at
    if (byte === QUOTE) {
      this.#skipString()
      if (isSelected) this.#maskString(from, this.#at)
      else writeSlice(this.#src, from, this.#at, this.#out)
      return
    }
    this.#scalar(from, isSelected)
  }

  #scalar(from: number, isSelected: boolean): void {
    const word = this.#word()
    const { boolean, number } = this.#leaf
    if (isSelected && word === '') number(this.#src, from, this.#at, this.#out)
    else if (isSelected && word !== 'null' && boolean !== null) writeText(boolean, this.#out)
    else writeSlice(this.#src, from, this.#at, this.#out)
  }

  /** `true`, `false`, `null`, or '' after a number. */
  #word(): string {
    for (const word of ['true', 'false', 'null'])
      if (
        this.#src[this.#at] === word.charCodeAt(0) &&
        this.#src.toString('latin1', this.#at, Math.min(this.#at + word.length, this.#end)) === word
      ) {
        this.#at += word.length
        return word
      }
    this.#number()
    return ''
  }

  #number(): void {
    if (this.#byte() === 0x2d) this.#at++
    const first = this.#byte()
    this.#digits()
    if (first === 0x30 && this.#src[this.#at - 1] !== 0x30) throw new NotJson()
    if (this.#byte() === 0x2e) {
      this.#at++
      this.#digits()
    }
    if ((this.#byte() | 0x20) === 0x65) {
      this.#at++
      if (this.#byte() === 0x2b || this.#byte() === 0x2d) this.#at++
      this.#digits()
    }
  }

  #digits(): void {
    const from = this.#at
    while (this.#byte() >= 0x30 && this.#byte() <= 0x39) this.#at++
    if (this.#at === from) throw new NotJson()
  }

  /** Leaves #at after the closing quote. */
  #skipString(): void {
    this.#at++
    for (;;) {
      const byte = this.#byte()
      if (byte < 0x20) throw new NotJson()
      this.#at += byte === BACKSLASH ? 2 : 1
      if (byte === QUOTE) return
    }
  }

  /** Content of the string at [from, to), unescaped, as bytes; the slice itself when nothing is escaped. */
  #unescaped(from: number, to: number): Buffer {
    const content = this.#src.subarray(from + 1, to - 1)
    if (!content.includes(BACKSLASH)) return content
    try {
      return Buffer.from(String(JSON.parse(this.#src.toString('utf8', from, to))), 'utf8')
    } catch {
      throw new NotJson()
    }
  }

  #maskString(from: number, to: number): void {
    const content = this.#unescaped(from, to)
    this.#masked.at = 0
    const length = this.#leaf.text(content, 0, content.length, this.#masked)
    if (length < 0) writeText('null', this.#out)
    else writeString(this.#masked.buf, length, this.#out)
  }

  #object(states: readonly State[], depth: number): void {
    this.#punctuation(0x7b)
    this.#space()
    if (this.#byte() === 0x7d) return this.#punctuation(0x7d)
    for (;;) {
      const from = this.#at
      if (this.#byte() !== QUOTE) throw new NotJson()
      this.#skipString()
      const to = this.#at
      if (states === EVERYTHING) this.#maskString(from, to)
      else writeSlice(this.#src, from, to, this.#out)
      const key =
        states.length === 0 || states === EVERYTHING
          ? ''
          : this.#unescaped(from, to).toString('utf8')
      this.#space()
      this.#punctuation(0x3a)
      this.#space()
      this.#value(advance(states, key, -1), depth + 1)
      this.#space()
      if (this.#byte() === 0x7d) return this.#punctuation(0x7d)
      this.#punctuation(0x2c)
      this.#space()
    }
  }

  #array(states: readonly State[], depth: number): void {
    this.#punctuation(0x5b)
    this.#space()
    if (this.#byte() === 0x5d) return this.#punctuation(0x5d)
    for (let index = 0; ; index++) {
      this.#value(advance(states, '', index), depth + 1)
      this.#space()
      if (this.#byte() === 0x5d) return this.#punctuation(0x5d)
      this.#punctuation(0x2c)
      this.#space()
    }
  }

  /** Reads a whole object or array without writing: its end must be found strictly, too. */
  #skipContainer(depth: number): void {
    const { at } = this.#out
    const isObject = this.#byte() === 0x7b
    if (isObject) this.#object(NOTHING, depth)
    else this.#array(NOTHING, depth)
    this.#out.at = at
  }
}

const NOTHING: readonly State[] = []
/** Every value below is selected. */
const EVERYTHING: readonly State[] = [{ steps: [], at: 0 }]

/** States of a member: `index` is -1 for a member of an object. */
function advance(states: readonly State[], key: string, index: number): readonly State[] {
  if (states.length === 0 || states === EVERYTHING) return states
  const next: State[] = []
  for (const state of states) {
    const step = state.steps[state.at]
    if (step === undefined) continue
    const isMatch =
      step.kind === 'any' ||
      (step.kind === 'key' ? index < 0 && step.name === key : index === step.index)
    if (isMatch) next.push({ steps: state.steps, at: state.at + 1 })
    if (step.deep) next.push(state)
  }
  return next.length === 0 ? NOTHING : next
}

const HEX = '0123456789abcdef'

/** A JSON string of `length` bytes of UTF-8, quoted and escaped. */
export function writeString(bytes: Buffer, length: number, out: ByteSink): void {
  out.ensure(length * 6 + 2)
  const { buf } = out
  let { at } = out
  buf[at++] = QUOTE
  for (let i = 0; i < length; i++) {
    const byte = bytes[i] as number
    if (byte === QUOTE || byte === BACKSLASH) {
      buf[at++] = BACKSLASH
      buf[at++] = byte
    } else if (byte < 0x20) {
      at += buf.write(`\\u00${byte < 16 ? '0' : '1'}${HEX[byte & 15]}`, at, 'latin1')
    } else buf[at++] = byte
  }
  buf[at++] = QUOTE
  out.at = at
}
