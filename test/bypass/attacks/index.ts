/** All attacks written by hand, by category. */
import { attacks as aggregates } from './aggregates.ts'
import type { AttackList } from './attack-list.ts'
import { attacks as columns } from './columns.ts'
import { attacks as definitions } from './definitions.ts'
import { attacks as errors } from './errors.ts'
import { attacks as explained } from './explained.ts'
import { attacks as expressions } from './expressions.ts'
import { attacks as kinds } from './kinds.ts'
import { attacks as madeAndNamed } from './made-and-named.ts'
import { attacks as nullTests } from './null-tests.ts'
import { attacks as order } from './order.ts'
import { attacks as predicates } from './predicates.ts'
import { attacks as rows } from './rows.ts'
import { attacks as servers14to18 } from './servers-14-to-18.ts'
import { attacks as setOperations } from './set-operations.ts'
import { attacks as toldApart } from './told-apart.ts'
import { attacks as typeNames } from './type-names.ts'
import { attacks as waysOut } from './ways-out.ts'
import { attacks as writes } from './writes.ts'

export const WRITTEN: Readonly<Record<string, AttackList>> = {
  'columns by any name': columns,
  'set operations and CTEs': setOperations,
  'whole rows and composites': rows,
  'expressions and casts': expressions,
  'aggregates and windows': aggregates,
  'predicates that tell': predicates,
  'NULL or not': nullTests,
  'errors and notices': errors,
  'order of rows, and plans': order,
  writes,
  definitions,
  'other ways out': waysOut,
  'servers 14 to 18': servers14to18,
  'type names': typeNames,
  'rows told apart': toldApart,
  'EXPLAIN and COPY': explained,
  'every kind of type, clause and statement': kinds,
  'made and named': madeAndNamed,
}
