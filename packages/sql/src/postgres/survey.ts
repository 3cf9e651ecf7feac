/**
 * A walk over the whole tree by the grammar alone: every field of every node is looked at, whatever the
 * other walks make of it. What is not listed in the grammar (a node, a field, an enum's value) is
 * reported, and so are the nodes that a walk with meaning must have visited.
 */
import type { FuncCall, RangeVar } from 'libpg-query'
import { ENUM_VALUES, NODE_FIELDS } from './grammar.ts'
import { nodeRole } from './nodes.ts'

export interface Survey {
  /** What the grammar does not list: `Type`, `Type.field` or `Type.field=VALUE`. */
  readonly unlisted: readonly string[]
  /** Nodes that carry meaning in queries, with their types. */
  readonly meaningful: readonly { readonly type: string; readonly node: object }[]
  readonly calls: readonly FuncCall[]
  readonly relations: readonly RangeVar[]
  /** Types of the statements inside, in the order of the text; not the surveyed one itself. */
  readonly statements: readonly string[]
  /** Highest parameter number. */
  readonly parameters: number
  /** Is there a literal anywhere? */
  readonly literals: boolean
}

/** Missing one of these in the walk over a query would mean missing what it reads. */
const MEANINGFUL = new Set([
  'ColumnRef',
  'FuncCall',
  'A_Expr',
  'SubLink',
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
  'RangeVar',
  'RangeFunction',
  'RangeTableFunc',
  'JsonTable',
  'TypeCast',
  'SortBy',
  'WindowDef',
  'CommonTableExpr',
])

type FieldSpec = 'plain' | 'any' | { readonly type: string } | ReadonlySet<string>

const specs = new Map(
  Object.entries(NODE_FIELDS).map(([type, fields]) => [
    type,
    new Map(
      fields
        .split(' ')
        .filter((field) => field !== '')
        .map((field): [string, FieldSpec] => {
          const [name = '', kind] = field.split(':')
          if (kind === undefined) return [name, 'plain']
          if (kind === '*') return [name, 'any']
          const values = ENUM_VALUES[kind]
          return [name, values === undefined ? { type: kind } : new Set(values.split(' '))]
        }),
    ),
  ]),
)

class Surveyor {
  readonly unlisted: string[] = []
  readonly meaningful: { type: string; node: object }[] = []
  readonly calls: FuncCall[] = []
  readonly relations: RangeVar[] = []
  readonly statements: string[] = []
  parameters = 0
  literals = false

  wrapped(value: unknown): void {
    if (Array.isArray(value)) {
      for (const item of value) this.wrapped(item)
      return
    }
    if (typeof value !== 'object' || value === null) {
      this.unlisted.push(`node of type ${typeof value}`)
      return
    }
    let count = 0
    for (const type in value) {
      count++
      // A node is an object with its type as its only key.
      this.node(type, (value as Record<string, unknown>)[type])
    }
    if (count > 1) this.unlisted.push('node of several types')
  }

  node(type: string, value: unknown): void {
    const fields = specs.get(type)
    const role = nodeRole(type)
    if (fields === undefined || role === undefined || role === 'never') {
      this.unlisted.push(type)
      return
    }
    if (typeof value !== 'object' || value === null) {
      this.unlisted.push(`${type} of type ${typeof value}`)
      return
    }
    this.#note(type, value)
    if (role === 'statement') this.statements.push(type)
    const record = value as Record<string, unknown>
    for (const name in record) {
      const spec = fields.get(name)
      if (spec === undefined) this.unlisted.push(`${type}.${name}`)
      else this.#field(`${type}.${name}`, spec, record[name])
    }
  }

  #field(path: string, spec: FieldSpec, value: unknown): void {
    if (spec === 'any') this.wrapped(value)
    else if (spec === 'plain') {
      if (typeof value === 'object') this.unlisted.push(path)
    } else if ('type' in spec) {
      if (Array.isArray(value)) for (const item of value) this.node(spec.type, item)
      else this.node(spec.type, value)
    } else if (typeof value !== 'string' || !spec.has(value)) {
      this.unlisted.push(`${path}=${String(value)}`)
    }
  }

  #note(type: string, node: object): void {
    if (MEANINGFUL.has(type)) this.meaningful.push({ type, node })
    // The casts follow from the type.
    if (type === 'FuncCall') this.calls.push(node as FuncCall)
    else if (type === 'RangeVar') this.relations.push(node as RangeVar)
    else if (type === 'A_Const') this.literals = true
    else if (type === 'ParamRef') {
      const { number: index = 0 } = node as { number?: number }
      if (index > this.parameters) this.parameters = index
    }
  }
}

/** Surveys one statement; `node` is wrapped in its type. */
export function survey(node: object): Survey {
  const surveyor = new Surveyor()
  surveyor.wrapped(node)
  surveyor.statements.shift()
  return surveyor
}
