/**
 * Bodies of users' functions, as far as they can be read: LANGUAGE sql with a single query or expression, and PL/pgSQL
 * that computes with its variables and nothing else. Read once for each function of a catalog.
 */
import type { CreateFunctionStmt, FunctionParameter, Node } from 'libpg-query'
import type { CatalogFunction } from '../catalog.ts'
import type { Parser } from './parse.ts'
import { as, stringOf, stringsOf, typeNameOf } from './tree.ts'

export interface FunctionBody {
  readonly parameters: readonly { readonly name: string | null; readonly fallback: Node | null }[]
  /** Its single query; or expressions, of which its result and its steps are made. */
  readonly body:
    | { readonly kind: 'query'; readonly query: Node }
    | { readonly kind: 'computes'; readonly expressions: readonly Node[] }
  /** Types that values are turned into on the way. */
  readonly types: readonly string[]
}

export class FunctionBodies {
  readonly #parser: Parser
  readonly #known = new WeakMap<CatalogFunction, FunctionBody | null>()

  constructor(parser: Parser) {
    this.#parser = parser
  }

  /** Null: what it does is not known. */
  of(entry: CatalogFunction): FunctionBody | null {
    const known = this.#known.get(entry)
    if (known !== undefined) return known
    const body = entry.definition === undefined ? null : this.#read(entry.definition)
    this.#known.set(entry, body)
    return body
  }

  #read(definition: string): FunctionBody | null {
    const made = as(this.#only(definition) ?? undefined, 'CreateFunctionStmt')
    if (made === undefined) return null
    const options = (made.options ?? []).flatMap((node) => as(node, 'DefElem') ?? [])
    // SET search_path and the like: names in the body would mean others than around the call.
    if (options.some(({ defname }) => !KNOWN_OPTIONS.has(defname ?? ''))) return null
    const parameters = (made.parameters ?? []).map((node) => as(node, 'FunctionParameter'))
    if (!parameters.every((one) => one !== undefined && INPUTS.has(one.mode ?? ''))) return null
    const language = stringOf(options.find(({ defname }) => defname === 'language')?.arg)
    const read =
      language === 'sql'
        ? this.#sql(made, options.find(({ defname }) => defname === 'as')?.arg)
        : language === 'plpgsql'
          ? this.#plpgsql(definition)
          : null
    if (read === null) return null
    return {
      body: read.body,
      types: [typeNameOf(made.returnType), ...read.types],
      parameters: parameters.flatMap((one) => (one === undefined ? [] : parameterOf(one))),
    }
  }

  #sql({ sql_body }: CreateFunctionStmt, text: Node | undefined): Read | null {
    const returned = as(sql_body, 'ReturnStmt')?.returnval
    if (returned !== undefined) {
      return { body: { kind: 'query', query: selecting(returned) }, types: [] }
    }
    const source = stringsOf(as(text, 'List')?.items)
    const atomic = as(sql_body, 'List')?.items?.[0]
    const statements = sql_body === undefined ? null : (as(atomic, 'List')?.items ?? [])
    const [only, ...others] = statements ?? [
      source.length === 1 ? this.#only(source[0] ?? '') : null,
    ]
    const value = as(only ?? undefined, 'ReturnStmt')?.returnval
    const query = value === undefined ? only : selecting(value)
    if (query == null || others.length > 0 || as(query, 'SelectStmt') === undefined) return null
    return { body: { kind: 'query', query }, types: [] }
  }

  /** Assignments, conditions, loops, RAISE and RETURN over expressions; no query, no statement in text. */
  #plpgsql(definition: string): Read | null {
    const tree = this.#parser.parsePlpgsql(definition)
    const found: { expressions: Node[]; types: string[] } = { expressions: [], types: [] }
    if (tree === null || !this.#collect(tree, found)) return null
    return { body: { kind: 'computes', expressions: found.expressions }, types: found.types }
  }

  #collect(tree: unknown, found: { expressions: Node[]; types: string[] }): boolean {
    if (Array.isArray(tree)) return tree.every((one) => this.#collect(one, found))
    if (typeof tree !== 'object' || tree === null) return true
    return Object.entries(tree as Record<string, unknown>).every(([key, value]) => {
      if (key === 'PLpgSQL_expr') {
        const expression = this.#expression(value as { query?: string; parseMode?: number })
        if (expression === null) return false
        found.expressions.push(expression)
        return true
      }
      if (key === 'PLpgSQL_type') {
        found.types.push(String((value as { typname?: unknown }).typname ?? ''))
        return true
      }
      if (key.startsWith('PLpgSQL_') && !COMPUTING.has(key)) return false
      return this.#collect(value, found)
    })
  }

  /** RAW_PARSE_PLPGSQL_EXPR is 2; 3 to 5 are assignments to names of one to three parts. */
  #expression({ query = '', parseMode = 0 }: { query?: string; parseMode?: number }): Node | null {
    if (parseMode === 2) return this.#only(`SELECT ${query}`)
    const assigned = parseMode >= 3 && parseMode <= 5 ? /^[\w\s."]+:?=(.*)$/s.exec(query) : null
    return assigned === null ? null : this.#only(`SELECT ${assigned[1]}`)
  }

  /** The only statement of a text. */
  #only(text: string): Node | null {
    const outcome = this.#parser.parse(text)
    if (outcome.kind !== 'tree' || outcome.statements.length !== 1) return null
    return outcome.statements[0]?.stmt ?? null
  }
}

interface Read {
  readonly body: FunctionBody['body']
  readonly types: readonly string[]
}

const INPUTS = new Set(['FUNC_PARAM_IN', 'FUNC_PARAM_DEFAULT'])
const KNOWN_OPTIONS = new Set(
  'as language volatility strict security leakproof cost rows parallel window'.split(' '),
)
/** What a body that computes may be made of. */
const COMPUTING = new Set(
  `PLpgSQL_function PLpgSQL_var PLpgSQL_rec PLpgSQL_row PLpgSQL_recfield PLpgSQL_stmt_block PLpgSQL_stmt_assign PLpgSQL_stmt_if
   PLpgSQL_if_elsif PLpgSQL_stmt_case PLpgSQL_case_when PLpgSQL_stmt_loop PLpgSQL_stmt_while PLpgSQL_stmt_fori
   PLpgSQL_stmt_foreach_a PLpgSQL_stmt_exit PLpgSQL_stmt_return PLpgSQL_stmt_raise PLpgSQL_raise_option`.split(
    /\s+/,
  ),
)

function parameterOf({ name, defexpr }: FunctionParameter): FunctionBody['parameters'][number] {
  return { name: name ?? null, fallback: defexpr ?? null }
}

const selecting = (value: Node): Node => ({
  SelectStmt: {
    targetList: [{ ResTarget: { val: value } }],
    op: 'SETOP_NONE',
    limitOption: 'LIMIT_OPTION_DEFAULT',
  },
})
