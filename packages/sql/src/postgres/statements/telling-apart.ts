/**
 * The query of a SELECT whose rows may be told apart by what nobody may see: it groups rows, leaves out equal ones, or
 * combines those of others. The order in which it gives them may tell more, so nothing may hang on that but the order of
 * the SELECT's own rows, which can be sorted (sorted.ts): it is the SELECT itself, or all that each query around it reads.
 *
 *   SELECT count(*) FROM (SELECT DISTINCT email FROM users) u      WITH t AS (SELECT email … GROUP BY email) SELECT * FROM t
 *
 * Beside a join, or in a condition, some of its rows might not be computed: which ones would hang on their order.
 */
import type { CommonTableExpr, FuncCall, SelectStmt } from 'libpg-query'
import type { AnalysisContext } from '../context.ts'
import { functionFacts } from '../functions.ts'
import { as, stringsOf } from '../tree.ts'

/** Null: there is none, or more may hang on the order of its rows. */
export function tellingApart(context: AnalysisContext, top: SelectStmt): SelectStmt | null {
  if (top.limitOption === 'LIMIT_OPTION_WITH_TIES') return null
  const known: CommonTableExpr[] = []
  for (let select = top; ; ) {
    if (select !== top && isLimited(select)) return null
    if (numbersOrLocks(select) || !isDistinct(select)) return null
    if (groups(select) || compares(select)) return select
    if (isSetOperation(select) || select.havingClause !== undefined) return null
    known.push(...commonTables(select))
    const source = onlySource(select, { top, known })
    if (source === undefined || aggregates(context, select)) return null
    select = source
  }
}

/** Is it this query, or of `a UNION b UNION c` the first union? Which rows of that a LIMIT keeps would hang on their order. */
export function isAmong(telling: SelectStmt, select: SelectStmt): boolean {
  if (telling === select) return true
  return combinedIn(telling).some((branch) => !isLimited(branch) && isAmong(branch, select))
}

/** Of what this combines, that which is itself combined by telling rows apart. */
const combinedIn = (select: SelectStmt): readonly SelectStmt[] =>
  [select.larg, select.rarg].flatMap((branch) =>
    branch !== undefined && compares(select) && compares(branch) ? branch : [],
  )

const isLimited = ({ limitCount, limitOffset }: SelectStmt): boolean =>
  (limitCount ?? limitOffset) !== undefined

const isSetOperation = ({ op }: SelectStmt): boolean => (op ?? 'SETOP_NONE') !== 'SETOP_NONE'

/** UNION ALL keeps all of its rows. */
const compares = (select: SelectStmt): boolean =>
  isSetOperation(select) && !(select.op === 'SETOP_UNION' && select.all === true)

const groups = ({ groupClause, distinctClause }: SelectStmt): boolean =>
  groupClause !== undefined || distinctClause !== undefined

/** Not DISTINCT ON. */
const isDistinct = ({ distinctClause = [] }: SelectStmt): boolean =>
  distinctClause.every((node) => Object.keys(node).length === 0)

const numbersOrLocks = ({ windowClause, lockingClause, intoClause }: SelectStmt): boolean =>
  [windowClause, lockingClause, intoClause].some((clause) => clause !== undefined)

const commonTables = ({ withClause }: SelectStmt): readonly CommonTableExpr[] =>
  (withClause?.ctes ?? []).flatMap((node) => as(node, 'CommonTableExpr') ?? [])

/** The query in its FROM; undefined: it reads something else, or more. */
function onlySource(
  { fromClause = [] }: SelectStmt,
  { top, known }: { readonly top: SelectStmt; readonly known: CommonTableExpr[] },
): SelectStmt | undefined {
  const [from, ...others] = fromClause
  if (from === undefined || others.length > 0) return undefined
  const subquery = as(from, 'RangeSubselect')?.subquery
  if (subquery !== undefined) return as(subquery, 'SelectStmt')
  const { relname = '', schemaname } = as(from, 'RangeVar') ?? {}
  const at = known.findIndex(({ ctename }) => ctename === relname)
  const table = known[at]
  if (table === undefined || schemaname !== undefined) return undefined
  // Of that name there is one, and nothing else reads it.
  const named = nodesIn(top, 'CommonTableExpr').filter((one) => one['ctename'] === relname)
  const readings = (tree: unknown) =>
    nodesIn(tree, 'RangeVar').filter((one) => one['relname'] === relname).length
  const own = readings(table.ctequery)
  if (named.length !== 1 || readings(top) - own !== 1) return undefined
  // Inside of it the name means another.
  known.splice(at, 1)
  const query = as(table.ctequery, 'SelectStmt')
  // A recursive one reads the rows it has so far, in the order of those that it begins with.
  return query !== undefined && own > 0 && combinedIn(query).length > 0 ? undefined : query
}

/**
 * Has it aggregates of its own, besides count? Which of equal values one gives, or in which order, and how it rounds, hangs
 * on the order of rows.
 */
function aggregates(context: AnalysisContext, { targetList, sortClause }: SelectStmt): boolean {
  return nodesIn([targetList, sortClause], 'FuncCall', 'SubLink').some((call) => {
    const names = stringsOf((call as FuncCall).funcname)
    return functionFacts(context, names).kind === 'aggregate' && names.at(-1) !== 'count'
  })
}

type Fields = Readonly<Record<string, unknown>>

/** Nodes of a type; not those inside of nodes of the type `without`. */
function nodesIn(tree: unknown, type: string, without?: string): readonly Fields[] {
  const found: Fields[] = []
  const left = [tree]
  while (left.length > 0) {
    const next = left.pop()
    if (typeof next !== 'object' || next === null) continue
    for (const [key, child] of Object.entries(next)) {
      if (key === without) continue
      // A node is an object with its type as its only key.
      if (key === type) found.push(child as Fields)
      left.push(child)
    }
  }
  return found
}
