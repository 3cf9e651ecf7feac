/**
 * Bodies of stored functions, as far as they can be read: variables, conditions, loops, queries into variables, RETURN.
 * Read once for each function of a catalog.
 */
import type { CatalogFunction } from '../catalog.ts'
import type { Declaration, Dialect, Expression, Node, Query, Statement } from './ast.ts'
import { parseMysql } from './parse.ts'

export interface FunctionBody {
  /** Lower case, in order. */
  readonly parameters: readonly string[]
  /** Lower-case names of everything that is a variable somewhere in the body, parameters included. */
  readonly variables: ReadonlySet<string>
  readonly conditions: readonly Expression[]
  /** What variables are set to, and what comes back. */
  readonly values: readonly Expression[]
  /** `SELECT ... INTO variable`. */
  readonly queries: readonly Query[]
  /** The statements around these. */
  readonly frame: readonly Node[]
  /** The text that offsets count in, and its only statement. */
  readonly text: string
  readonly statement: Statement
}

const known = new WeakMap<CatalogFunction, FunctionBody | null>()

/** Null: what it does is not known. */
export function functionBody(entry: CatalogFunction, dialect: Dialect): FunctionBody | null {
  let body = known.get(entry)
  if (body === undefined) {
    body = entry.definition === undefined ? null : read(entry.definition, dialect)
    known.set(entry, body)
  }
  return body
}

function read(text: string, dialect: Dialect): FunctionBody | null {
  const made = onlyStatement(text, dialect)
  if (made?.kind !== 'create-routine') return null
  // It was defined with IGNORE_SPACE, or without: it has to mean the same.
  const spaced = onlyStatement(text, { ...dialect, ignoreSpace: true })
  if (JSON.stringify(made) !== JSON.stringify(spaced)) return null
  if (made.routine !== 'function' || made.aggregate || made.body === null) return null
  const isInput = made.parameters.every(
    (one) => (one.mode === null || one.mode === 'in') && one.default === null,
  )
  const parameters = made.parameters.map(({ name }) => name.value.toLowerCase())
  const found = new Collector(parameters)
  if (!isInput || !found.add(made.body)) return null
  const { variables, conditions, values, queries, frame } = found
  return { parameters, variables, conditions, values, queries, frame, text, statement: made }
}

class Collector {
  readonly variables: Set<string>
  readonly conditions: Expression[] = []
  readonly values: Expression[] = []
  readonly queries: Query[] = []
  readonly frame: Node[] = []

  constructor(parameters: readonly string[]) {
    this.variables = new Set(parameters)
  }

  /** False: it does something that is not looked into. */
  add(node: Statement): boolean {
    this.frame.push(node)
    switch (node.kind) {
      case 'block':
        return node.declarations.every((one) => this.#declare(one)) && this.#all(node.body)
      case 'if':
        for (const { condition } of node.branches) this.conditions.push(condition)
        return node.branches.every(({ body }) => this.#all(body)) && this.#all(node.otherwise)
      case 'case-statement':
        if (node.operand !== null) this.values.push(node.operand)
        for (const { condition } of node.branches) this.conditions.push(condition)
        return node.branches.every(({ body }) => this.#all(body)) && this.#all(node.otherwise)
      case 'loop':
        return this.#all(node.body)
      case 'while':
        this.conditions.push(node.condition)
        return this.#all(node.body)
      case 'repeat':
        this.conditions.push(node.until)
        return this.#all(node.body)
      case 'leave':
      case 'iterate':
        return true
      case 'return':
        this.values.push(node.value)
        return true
      case 'set':
        return node.items.every((item) => {
          if (item.kind !== 'set-variable' || item.target.kind !== 'system-variable') return false
          const { scope, name } = item.target
          this.values.push(item.value)
          return scope === null && this.variables.has(name.toLowerCase())
        })
      case 'query': {
        this.queries.push(node)
        const into = node.into ?? (node.body.kind === 'select' ? node.body.into : null)
        return into?.target === 'variables' && into.variables.every((one) => one.kind === 'column')
      }
      default:
        return false
    }
  }

  #declare(declaration: Declaration): boolean {
    switch (declaration.kind) {
      case 'declare-variables':
        for (const name of declaration.names) this.variables.add(name.value.toLowerCase())
        if (declaration.default !== null) this.values.push(declaration.default)
        return true
      case 'declare-condition':
        return true
      case 'declare-handler':
        return this.add(declaration.body)
      case 'declare-cursor':
        return false
    }
  }

  #all(nodes: readonly Statement[]): boolean {
    return nodes.every((node) => this.add(node))
  }
}

function onlyStatement(text: string, dialect: Dialect): Statement | null {
  try {
    const [only, ...others] = parseMysql(text, dialect)
    return others.length === 0 ? (only?.statement ?? null) : null
  } catch {
    // Whatever the reason: a body that is not understood is not known.
    return null
  }
}
