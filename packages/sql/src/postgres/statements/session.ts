/** Settings, transactions, notifications, cursors' and prepared statements' ends, locks, DO and CALL. */
import type {
  CallStmt,
  DeallocateStmt,
  DiscardStmt,
  DoStmt,
  LockStmt,
  Node,
  TransactionStmt,
  VariableSetStmt,
  VariableShowStmt,
} from 'libpg-query'
import type { FactsDraft } from '../../draft.ts'
import type { OutputColumn } from '../../facts.ts'
import { lineageOf } from '../../lineage/value.ts'
import { newScope } from '../lineage/scope.ts'
import { useRelation } from '../resolve.ts'
import { as, literalText } from '../tree.ts'
import type { Handler } from './run.ts'

const set: Handler = ({ draft }, fields) => {
  const statement = fields as VariableSetStmt
  const name = (statement.name ?? '').toLowerCase()
  const local = statement.is_local === true
  draft.literalIndependent = false
  const reset = statement.kind === 'VAR_RESET' || statement.kind === 'VAR_RESET_ALL'
  draft.command = reset ? 'reset' : 'set'
  if (name === 'transaction' || name === 'transaction snapshot') {
    draft.command = 'set transaction'
    draft.effect('transaction')
    if (name === 'transaction') noteModes(draft, statement.args, { prefix: '', local: true })
    return
  }
  draft.effect('session')
  switch (statement.kind) {
    case 'VAR_SET_VALUE':
      draft.state.push({
        kind: 'set',
        name,
        local,
        values: (statement.args ?? []).map(settingText),
      })
      return
    case 'VAR_SET_DEFAULT':
    case 'VAR_RESET':
      draft.state.push({ kind: 'set', name, local, values: null })
      return
    case 'VAR_RESET_ALL':
      draft.state.push({ kind: 'uncertain', why: 'RESET ALL', resets: true })
      return
    case 'VAR_SET_MULTI':
      // SET SESSION CHARACTERISTICS AS TRANSACTION.
      noteModes(draft, statement.args, { prefix: 'default_', local: false })
      return
    case 'VAR_SET_CURRENT':
      draft.state.push({ kind: 'uncertain', why: 'SET FROM CURRENT' })
      return
    default:
      draft.unknown('SET of a kind not listed')
  }
}

/** Transaction modes (isolation level, READ WRITE, DEFERRABLE) are settings of the same names. */
function noteModes(
  draft: FactsDraft,
  modes: readonly Node[] | undefined,
  { prefix, local }: { readonly prefix: string; readonly local: boolean },
): void {
  for (const node of modes ?? []) {
    const mode = as(node, 'DefElem')
    const name = `${prefix}${mode?.defname ?? ''}`
    draft.state.push({ kind: 'set', name, local, values: [literalText(mode?.arg) ?? ''] })
  }
}

/** The text a setting gets; of SET TIME ZONE INTERVAL '...', the interval's. */
function settingText(node: Node): string {
  const cast = as(node, 'TypeCast')
  return literalText(cast?.arg ?? node) ?? ''
}

const show: Handler = ({ draft }, fields) => {
  const name = (fields as VariableShowStmt).name ?? ''
  draft.command = 'show'
  draft.effect('session')
  const constant = (column: string): OutputColumn => ({
    name: column,
    lineage: { kind: 'constant' },
  })
  draft.outputs =
    name === 'all' ? ['name', 'setting', 'description'].map(constant) : [constant(name)]
}

const discard: Handler = ({ draft, context }, fields) => {
  const { target } = fields as DiscardStmt
  draft.command = 'discard'
  draft.effect('session')
  const temporaries = () => {
    for (const relation of context.names.temporaries.keys()) {
      draft.state.push({ kind: 'drop-temporary', relation })
    }
  }
  switch (target) {
    case 'DISCARD_ALL':
      draft.state.push({ kind: 'uncertain', why: 'DISCARD ALL', resets: true })
      draft.state.push({ kind: 'deallocate', name: null }, { kind: 'close-cursor', name: null })
      temporaries()
      return
    case 'DISCARD_TEMP':
      temporaries()
      return
    case 'DISCARD_PLANS':
    case 'DISCARD_SEQUENCES':
      return
    default:
      draft.unknown('DISCARD of a kind not listed')
  }
}

const transaction: Handler = ({ draft }, fields) => {
  const { kind, chain, options } = fields as TransactionStmt
  draft.effect('transaction')
  const end = (state: 'commit' | 'rollback') => {
    draft.state.push({ kind: state })
    if (chain === true) draft.state.push({ kind: 'begin' })
  }
  switch (kind) {
    case 'TRANS_STMT_BEGIN':
    case 'TRANS_STMT_START':
      draft.command = kind === 'TRANS_STMT_BEGIN' ? 'begin' : 'start transaction'
      draft.state.push({ kind: 'begin' })
      noteModes(draft, options, { prefix: '', local: true })
      return
    case 'TRANS_STMT_COMMIT':
      draft.command = 'commit'
      end('commit')
      return
    case 'TRANS_STMT_ROLLBACK':
      draft.command = 'rollback'
      end('rollback')
      return
    case 'TRANS_STMT_SAVEPOINT':
      draft.command = 'savepoint'
      draft.state.push({ kind: 'savepoint' })
      return
    case 'TRANS_STMT_RELEASE':
      draft.command = 'release'
      return
    case 'TRANS_STMT_ROLLBACK_TO':
      draft.command = 'rollback'
      draft.state.push({ kind: 'rollback-to' })
      return
    case 'TRANS_STMT_PREPARE':
      // The transaction leaves the session; what it did stays pending.
      draft.command = 'prepare transaction'
      draft.state.push({ kind: 'rollback' }, { kind: 'uncertain', why: 'PREPARE TRANSACTION' })
      return
    case 'TRANS_STMT_COMMIT_PREPARED':
    case 'TRANS_STMT_ROLLBACK_PREPARED':
      draft.command =
        kind === 'TRANS_STMT_COMMIT_PREPARED' ? 'commit prepared' : 'rollback prepared'
      draft.state.push({ kind: 'catalog' })
      return
    default:
      draft.unknown('transaction statement of a kind not listed')
  }
}

const deallocate: Handler = ({ draft }, fields) => {
  const { name } = fields as DeallocateStmt
  draft.command = 'deallocate'
  draft.effect('session')
  draft.state.push({ kind: 'deallocate', name: name ?? null })
}

const closePortal: Handler = ({ draft }, fields) => {
  const { portalname } = fields as { portalname?: string }
  draft.command = 'close cursor'
  draft.effect('session')
  draft.state.push({ kind: 'close-cursor', name: portalname ?? null })
}

const lock: Handler = (run, fields) => {
  run.draft.command = 'lock table'
  run.draft.effect('lock')
  for (const node of (fields as LockStmt).relations ?? []) {
    const name = as(node, 'RangeVar')
    if (name === undefined) run.draft.unknown('LOCK of something not a relation')
    else useRelation(run.context, run.draft, { name, access: 'lock' })
  }
}

const notification =
  (command: string): Handler =>
  ({ draft }) => {
    draft.command = command
    draft.effect('notify')
  }

/** The body may do anything: PL/pgSQL can run SQL it puts together, other languages anything at all. */
const doBlock: Handler = ({ draft }, fields) => {
  draft.command = 'do'
  draft.effect('procedural')
  draft.literalIndependent = false
  draft.state.push({ kind: 'uncertain', why: 'DO block' }, { kind: 'catalog' })
  for (const node of (fields as DoStmt).args ?? []) {
    const name = as(node, 'DefElem')?.defname
    if (name !== 'as' && name !== 'language') draft.unknown('DO with an option not listed')
  }
}

const call: Handler = (run, fields) => {
  const { funccall } = fields as CallStmt
  const { draft, walk } = run
  draft.command = 'call'
  draft.effect('procedural')
  if (funccall === undefined) return draft.unknown('CALL without procedure')
  const value = walk.value({ FuncCall: funccall }, newScope(null))
  // A procedure may end the transaction, change settings and define objects, and it may give a row.
  draft.state.push({ kind: 'uncertain', why: 'CALL' }, { kind: 'catalog' })
  draft.outputs = 'unknown'
  if (value.sources.length > 0) {
    draft.flows.push({ lineage: lineageOf(value), into: { kind: 'other', what: 'procedure' } })
  }
  run.requireAllVisited()
}

const constraintsSet: Handler = ({ draft }) => {
  draft.command = 'set constraints'
  draft.effect('transaction')
}

export const sessionStatements: Readonly<Record<string, Handler>> = {
  VariableSetStmt: set,
  VariableShowStmt: show,
  DiscardStmt: discard,
  TransactionStmt: transaction,
  DeallocateStmt: deallocate,
  ClosePortalStmt: closePortal,
  LockStmt: lock,
  NotifyStmt: notification('notify'),
  ListenStmt: notification('listen'),
  UnlistenStmt: notification('unlisten'),
  DoStmt: doBlock,
  CallStmt: call,
  ConstraintsSetStmt: constraintsSet,
}
