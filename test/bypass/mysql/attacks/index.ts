/** All attacks on MySQL and MariaDB written by hand, by category. The first are the same for every engine. */
import { attacks as aggregates } from '../../attacks/aggregates.ts'
import { attacks as columns } from '../../attacks/columns.ts'
import { attacks as nullTests } from '../../attacks/null-tests.ts'
import { attacks as conditions } from '../../attacks/predicates.ts'
import { attacks as setOperations } from '../../attacks/set-operations.ts'
import type { AttackList } from '../attack-list.ts'
import { attacks as amounts } from './amounts.ts'
import { attacks as copies } from './copies.ts'
import { attacks as definitions } from './definitions.ts'
import { attacks as disguises } from './disguises.ts'
import { attacks as errors } from './errors.ts'
import { attacks as expressions } from './expressions.ts'
import { attacks as nullOperands } from './null-operands.ts'
import { attacks as nullResults } from './null-results.ts'
import { attacks as predicates } from './predicates.ts'
import { attacks as sessions } from './sessions.ts'
import { attacks as shapes } from './shapes.ts'
import { attacks as toldApart } from './told-apart.ts'
import { attacks as waysOut } from './ways-out.ts'
import { attacks as withheld } from './withheld.ts'
import { attacks as writes } from './writes.ts'

type OtherList = typeof columns

/** Texts alone: messages are of another protocol. */
const texts = (list: OtherList): AttackList =>
  list.flatMap((one) => {
    const steps = typeof one === 'string' ? [one] : 'steps' in one ? one.steps : one
    // Which rows come first where no order is asked for is not hidden.
    const isMeant = (step: unknown) => typeof step === 'string' && !/\bALL ssn\b.*LIMIT/.test(step)
    return steps.every(isMeant) ? [steps as readonly string[]] : []
  })

export const WRITTEN: Readonly<Record<string, AttackList>> = {
  'columns by any name': texts(columns),
  'set operations and CTEs': texts(setOperations),
  'aggregates and windows': texts(aggregates),
  'conditions of every engine': texts([...conditions, ...nullTests]),
  'shapes of queries': shapes,
  expressions,
  'predicates that tell': predicates,
  'errors and warnings': errors,
  'operands that are not looked at': nullOperands,
  'results that are NULL for some': nullResults,
  'numbers and conditions in disguise': disguises,
  'copies between masked columns': copies,
  'rows told apart': toldApart,
  'columns that are not computed': withheld,
  'what is left for the next statement': sessions,
  'how much is stored': amounts,
  writes,
  definitions,
  'other ways out': waysOut,
}
