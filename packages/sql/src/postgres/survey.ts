/**
 * A walk over the whole tree by the grammar alone: every field of every node is looked at, whatever the
 * other walks make of it. What is not listed in the grammar (a node, a field, an enum's value) is
 * reported, and so are the nodes that a walk with meaning must have visited.
 */
import type { FuncCall, RangeVar, TypeName } from 'libpg-query'
import { ENUM_VALUES, NODE_FIELDS } from './grammar.ts'
import { nodeRole } from './nodes.ts'

export interface Survey {
  /** What the grammar does not list: `Type`, `Type.field` or `Type.field=VALUE`. */
  readonly unlisted: readonly string[]
  /** Nodes that carry meaning in queries. */
  readonly meaningful: readonly object[]
  /** Their types, in the same order. */
  readonly meaningfulTypes: readonly string[]
  readonly calls: readonly FuncCall[]
  readonly relations: readonly RangeVar[]
  readonly typeNames: readonly TypeName[]
  /** Types of the statements inside, in the order of the text; not the surveyed one itself. */
  readonly statements: readonly string[]
  /** Highest parameter number. */
  readonly parameters: number
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

type FieldSpec =
  | { readonly kind: 'plain' }
  | { readonly kind: 'any' }
  | { readonly kind: 'node'; readonly type: string }
  | { readonly kind: 'enum'; readonly values: ReadonlySet<string> }

interface NodeSpec {
  readonly fields: ReadonlyMap<string, FieldSpec>
  readonly isStatement: boolean
  readonly isMeaningful: boolean
}

function fieldSpec(kind: string | undefined): FieldSpec {
  if (kind === undefined) return { kind: 'plain' }
  if (kind === '*') return { kind: 'any' }
  const values = ENUM_VALUES[kind]
  if (values === undefined) return { kind: 'node', type: kind }
  return { kind: 'enum', values: new Set(values.split(' ')) }
}

/** Of the nodes that a parser's tree may hold. */
const specs = new Map(
  Object.entries(NODE_FIELDS).flatMap(([type, text]): [string, NodeSpec][] => {
    const role = nodeRole(type)
    if (role === undefined || role === 'never') return []
    const fields = new Map(
      text
        .split(' ')
        .filter((field) => field !== '')
        .map((field) => {
          const [name = '', kind] = field.split(':')
          return [name, fieldSpec(kind)]
        }),
    )
    return [
      [type, { fields, isStatement: role === 'statement', isMeaningful: MEANINGFUL.has(type) }],
    ]
  }),
)

class Surveyor {
  readonly unlisted: string[] = []
  readonly meaningful: object[] = []
  readonly meaningfulTypes: string[] = []
  readonly calls: FuncCall[] = []
  readonly relations: RangeVar[] = []
  readonly typeNames: TypeName[] = []
  readonly statements: string[] = []
  parameters = 0

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
    if (type === 'String' && isText(value)) return
    const spec = specs.get(type)
    if (spec === undefined) {
      this.unlisted.push(type)
      return
    }
    if (typeof value !== 'object' || value === null) {
      this.unlisted.push(`${type} of type ${typeof value}`)
      return
    }
    if (spec.isMeaningful) {
      this.meaningful.push(value)
      this.meaningfulTypes.push(type)
    }
    if (spec.isStatement) this.statements.push(type)
    this.#note(type, value)
    const record = value as Record<string, unknown>
    for (const name in record) {
      const field = spec.fields.get(name)
      const inside = record[name]
      if (field === undefined) this.unlisted.push(`${type}.${name}`)
      else if (field.kind === 'plain' && typeof inside !== 'object') continue
      else if (!this.#isListed(field, inside)) {
        const value = field.kind === 'enum' ? `=${String(inside)}` : ''
        this.unlisted.push(`${type}.${name}${value}`)
      }
    }
  }

  /** Looks at what is inside, too. */
  #isListed(spec: FieldSpec, value: unknown): boolean {
    switch (spec.kind) {
      case 'plain':
        return typeof value !== 'object'
      case 'any':
        this.wrapped(value)
        return true
      case 'node':
        if (Array.isArray(value)) for (const item of value) this.node(spec.type, item)
        else this.node(spec.type, value)
        return true
      case 'enum':
        return typeof value === 'string' && spec.values.has(value)
    }
  }

  #note(type: string, node: object): void {
    // The casts follow from the type.
    switch (type) {
      case 'FuncCall':
        this.calls.push(node as FuncCall)
        break
      case 'RangeVar':
        this.relations.push(node as RangeVar)
        break
      case 'TypeName':
        this.typeNames.push(node as TypeName)
        break
      case 'ParamRef': {
        const { number: index = 0 } = node as { number?: number }
        if (index > this.parameters) this.parameters = index
      }
    }
  }
}

/** Names are the most of a tree: nothing but a text, as the grammar lists it. */
function isText(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  for (const name in value) if (name !== 'sval') return false
  return typeof (value as { sval?: unknown }).sval === 'string'
}

/** Surveys one statement; `node` is wrapped in its type. */
export function survey(node: object): Survey {
  const surveyor = new Surveyor()
  surveyor.wrapped(node)
  surveyor.statements.shift()
  return surveyor
}
