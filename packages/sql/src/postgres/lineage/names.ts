/** The name the server gives an output column without AS: FigureColname of parse_target.c. */
import type { FuncCall, Node, SubLink, TypeCast, XmlExpr } from 'libpg-query'
import { as, stringOf, stringsOf, unwrap } from '../tree.ts'
import type { Walk } from './walk.ts'

const UNNAMED = '?column?'

/** Strength 2 names win over strength 1 names around them; 0 is no name. */
interface Figured {
  readonly name: string
  readonly strength: 0 | 1 | 2
}

const none: Figured = { name: UNNAMED, strength: 0 }
const strong = (name: string): Figured => ({ name, strength: 2 })

export function figureName(walk: Walk, node: Node): string {
  return figure(walk, node).name
}

const FIXED: Readonly<Record<string, string>> = {
  GroupingFunc: 'grouping',
  MergeSupportFunc: 'merge_action',
  A_ArrayExpr: 'array',
  RowExpr: 'row',
  CoalesceExpr: 'coalesce',
  XmlSerialize: 'xmlserialize',
  JsonParseExpr: 'json',
  JsonScalarExpr: 'json_scalar',
  JsonSerializeExpr: 'json_serialize',
  JsonObjectConstructor: 'json_object',
  JsonArrayConstructor: 'json_array',
  JsonArrayQueryConstructor: 'json_array',
  JsonObjectAgg: 'json_objectagg',
  JsonArrayAgg: 'json_arrayagg',
}
const XML: Readonly<Record<string, string>> = {
  IS_XMLCONCAT: 'xmlconcat',
  IS_XMLELEMENT: 'xmlelement',
  IS_XMLFOREST: 'xmlforest',
  IS_XMLPARSE: 'xmlparse',
  IS_XMLPI: 'xmlpi',
  IS_XMLROOT: 'xmlroot',
  IS_XMLSERIALIZE: 'xmlserialize',
}
const JSON_FUNCTIONS: Readonly<Record<string, string>> = {
  JSON_EXISTS_OP: 'json_exists',
  JSON_QUERY_OP: 'json_query',
  JSON_VALUE_OP: 'json_value',
}

function figure(walk: Walk, node: Node): Figured {
  const [type, fields] = unwrap(node)
  const fixed = FIXED[type]
  if (fixed !== undefined) return strong(fixed)
  const { arg, op } = fields as { arg?: Node; op?: string }
  switch (type) {
    case 'ColumnRef':
      return lastName((fields as { fields?: Node[] }).fields, none)
    case 'A_Indirection': {
      const { indirection } = fields as { indirection?: Node[] }
      return lastName(indirection, arg === undefined ? none : figure(walk, arg))
    }
    case 'FuncCall':
      return strong(stringOf((fields as FuncCall).funcname?.at(-1)))
    case 'A_Expr':
      return (fields as { kind?: string }).kind === 'AEXPR_NULLIF' ? strong('nullif') : none
    case 'TypeCast': {
      const inner = arg === undefined ? none : figure(walk, arg)
      if (inner.strength === 2) return inner
      const names = stringsOf((fields as TypeCast).typeName?.names)
      return names.length === 0 ? inner : { name: names.at(-1)!, strength: 1 }
    }
    case 'CollateClause':
      return arg === undefined ? none : figure(walk, arg)
    case 'SubLink':
      return subLinkName(walk, fields as SubLink)
    case 'CaseExpr': {
      const { defresult } = fields as { defresult?: Node }
      const inner = defresult === undefined ? none : figure(walk, defresult)
      return inner.strength === 2 ? inner : { name: 'case', strength: 1 }
    }
    case 'MinMaxExpr':
      return strong(op === 'IS_GREATEST' ? 'greatest' : 'least')
    case 'SQLValueFunction':
      return strong((op ?? '').replace(/^SVFOP_|_N$/g, '').toLowerCase())
    case 'XmlExpr': {
      const name = XML[(fields as XmlExpr).op ?? '']
      return name === undefined ? none : strong(name)
    }
    case 'JsonFuncExpr':
      return strong(JSON_FUNCTIONS[op ?? ''] ?? 'json_table')
    default:
      return none
  }
}

/** The last name of a chain of names, subscripts and stars. */
function lastName(nodes: readonly Node[] | undefined, otherwise: Figured): Figured {
  const name = nodes?.findLast((node) => as(node, 'String') !== undefined)
  return name === undefined ? otherwise : strong(stringOf(name))
}

function subLinkName(walk: Walk, link: SubLink): Figured {
  switch (link.subLinkType) {
    case 'EXISTS_SUBLINK':
      return strong('exists')
    case 'ARRAY_SUBLINK':
      return strong('array')
    case 'EXPR_SUBLINK': {
      const name = walk.subqueries.get(link)?.columns[0]?.name
      return name === undefined ? none : strong(name)
    }
    default:
      return none
  }
}
