/**
 * What of a statement's text and bound values the record must not hold: what could be a value of a column that is
 * masked for anybody. A column whose cells are only shown, grouped by or asked for NULL meets no value of the text; where
 * it is used in any other way, all of the text's values are left out: which of them meets it cannot be proven.
 */
import type { PrincipalView } from '@sallyport/policy'
import type { Analysis, ColumnRef, Lineage, StatementFacts } from '@sallyport/sql'

/**
 * Comments go where such a column is read at all: people and tools write into them what they got. `values`: comments,
 * literals and bound values.
 */
export type LeftOut = 'nothing' | 'comments' | 'values'

export function leftOutOf(analysis: Analysis, view: PrincipalView): LeftOut {
  if (!view.protects) return 'nothing'
  if (analysis.kind === 'unparsable') return 'values'
  const isProtected = (column: ColumnRef): boolean => view.allMasksOn(column).length > 0
  const touching = analysis.statements.filter((one) => touches(one, isProtected))
  if (touching.length === 0) return 'nothing'
  return touching.every((one) => onlyShows(one, isProtected)) ? 'comments' : 'values'
}

export function sourcesOf(lineage: Lineage): readonly ColumnRef[] {
  if (lineage.kind === 'constant') return []
  return lineage.kind === 'direct' ? [lineage.source] : lineage.sources
}

export function isUncertain(statement: StatementFacts): boolean {
  return (
    statement.effects.includes('unknown') ||
    statement.outputs === 'unknown' ||
    statement.relations.some((relation) => relation.kind === 'unresolved')
  )
}

type IsProtected = (column: ColumnRef) => boolean

function touches(statement: StatementFacts, isProtected: IsProtected): boolean {
  return (
    isUncertain(statement) ||
    statement.columns.some(isProtected) ||
    statement.constantWrites.some((write) => isProtected(write.column)) ||
    statement.flows.some(({ into }) => into.kind === 'column' && isProtected(into.column))
  )
}

/** Commands whose values are all among the facts, or meet no column. */
const PLAIN = new Set(['select', 'values', 'insert', 'update', 'delete', 'copy'])

/** Are its protected columns only shown as they are? */
function onlyShows(statement: StatementFacts, isProtected: IsProtected): boolean {
  const { commands, constantWrites, flows, functions, outputs, uses } = statement
  if (isUncertain(statement) || !commands.every((command) => PLAIN.has(command))) return false
  const meets = (lineage: Lineage): boolean =>
    lineage.kind === 'unknown' || sourcesOf(lineage).some(isProtected)
  return (
    !functions.some(({ purity }) => purity === 'opaque') &&
    !constantWrites.some(({ column }) => isProtected(column)) &&
    !flows.some(
      ({ lineage, into }) => meets(lineage) || (into.kind === 'column' && isProtected(into.column)),
    ) &&
    uses.every(
      ({ column, with: other, context, apart }) =>
        context === 'is-null' ||
        // Its values are held against each other alone: these are said of a column itself, never of an expression.
        context === 'group' ||
        apart === true ||
        !(isProtected(column) || (other !== undefined && isProtected(other))),
    ) &&
    (outputs === null ||
      outputs === 'unknown' ||
      outputs.every(({ lineage }) => lineage.kind === 'direct' || !meets(lineage)))
  )
}
