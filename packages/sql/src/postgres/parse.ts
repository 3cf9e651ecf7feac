/**
 * The server's own grammar: SQL text to the raw parse tree, through `libpg-query`'s WASM instance.
 *
 * Texts reach this after guards.ts. An exception out of WASM leaves an instance that fails every later
 * parse, so it is discarded and another one made; until that is there, every parse says `broken`.
 */

import type { RawStmt } from 'libpg-query'
import createParser, { type ParserModule } from 'libpg-query/wasm/libpg-query.js'
import { faultOf } from '../fault.ts'
import { PARSER_MEMORY_BYTES_MAX } from './limits.ts'

export type ParseOutcome =
  | { readonly kind: 'tree'; readonly statements: readonly RawStmt[] }
  | {
      readonly kind: 'rejected'
      readonly message: string
      /** 1-based, in characters; 0 when the parser names none. */
      readonly position: number
      readonly raisedIn: string
    }
  | { readonly kind: 'broken'; readonly why: string }

/** Emscripten makes the object it is given the instance: each instance needs one of its own. */
const instantiate = (): Promise<ParserModule> =>
  createParser({ print: () => {}, printErr: () => {} })

export class Parser {
  #module: ParserModule | null
  #recreation: Promise<void> | null = null

  constructor(module: ParserModule) {
    this.#module = module
  }

  static async create(): Promise<Parser> {
    return new Parser(await instantiate())
  }

  /** Non-null while a new instance is being made. */
  ready(): Promise<void> | null {
    return this.#recreation
  }

  parse(sql: string): ParseOutcome {
    const module = this.#module
    if (module === null) {
      this.#recreate()
      return { kind: 'broken', why: 'the parser is being re-created' }
    }
    try {
      const outcome = parseWith(module, sql)
      if (module.HEAPU8.length > PARSER_MEMORY_BYTES_MAX) this.#recreate()
      return outcome
    } catch (error) {
      this.#recreate()
      return { kind: 'broken', why: faultOf(error) }
    }
  }

  /** PL/pgSQL functions of a CREATE FUNCTION or DO statement as a tree; null when it does not parse. */
  parsePlpgsql(sql: string): unknown {
    const module = this.#module
    if (module === null) return null
    try {
      const text = toMemory(module, sql)
      const result = module._wasm_parse_plpgsql(text)
      const json = module.UTF8ToString(result)
      module._free(text)
      module._wasm_free_string(result)
      return json.startsWith('{') ? JSON.parse(json) : null
    } catch {
      this.#recreate()
      return null
    }
  }

  #recreate(): void {
    this.#module = null
    // A failure leaves the module null; the next parse tries again.
    this.#recreation ??= instantiate()
      .then(
        (module) => {
          this.#module = module
        },
        () => {},
      )
      .finally(() => {
        this.#recreation = null
      })
  }
}

function toMemory(module: ParserModule, sql: string): number {
  const bytes = module.lengthBytesUTF8(sql) + 1
  const pointer = module._malloc(bytes)
  module.stringToUTF8(sql, pointer, bytes)
  return pointer
}

function parseWith(module: ParserModule, sql: string): ParseOutcome {
  const text = toMemory(module, sql)
  const result = module._wasm_parse_query_raw(text)
  if (result === 0) throw new Error('out of parser memory')
  const tree = module.getValue(result, 'i32')
  const error = module.getValue(result + 8, 'i32')
  // struct PgQueryError { char* message; char* funcname; char* filename; int lineno; int cursorpos; ... }
  const outcome: ParseOutcome =
    error === 0
      ? { kind: 'tree', statements: JSON.parse(module.UTF8ToString(tree)).stmts ?? [] }
      : {
          kind: 'rejected',
          message: module.UTF8ToString(module.getValue(error, 'i32')),
          position: Math.max(0, module.getValue(error + 16, 'i32')),
          raisedIn: module.UTF8ToString(module.getValue(error + 4, 'i32')),
        }
  module._free(text)
  module._wasm_free_parse_result(result)
  return outcome
}
