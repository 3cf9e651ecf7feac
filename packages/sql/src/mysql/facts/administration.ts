/** Accounts and privileges, maintenance of tables, statements about the server itself. */
import type { Access, Effect } from '../../facts.ts'
import { newScope } from '../lineage/scope.ts'
import { useRelation } from '../resolve.ts'
import type { Handler, Handlers, Run } from './run.ts'
import { describes } from './run.ts'

/** CREATE USER and the like commit, as definitions do. */
function begin(run: Run, command: string, ...effects: readonly Effect[]): void {
  run.draft.command = command
  run.draft.effect(...effects)
  run.draft.literalIndependent = false
}

const accountStatement: Handler<'account-statement'> = (run, { verb, object }) => {
  begin(run, `${verb} ${object}`, 'admin')
  run.draft.state.push({ kind: 'commit' })
}

const renameUsers: Handler<'rename-users'> = (run) => {
  begin(run, 'rename user', 'admin')
  run.draft.state.push({ kind: 'commit' })
}

const grant: Handler<'grant'> = (run, { verb, on }) => {
  begin(run, verb, 'admin')
  run.draft.state.push({ kind: 'commit' })
  const name = on?.name ?? null
  if (name !== null && !/FUNCTION|PROCEDURE|PACKAGE|LIBRARY/i.test(on?.object ?? '')) {
    useRelation(run.context, run.draft, { name, access: 'define' })
  }
}

/** ANALYZE and CHECK look at rows, the others rewrite them; CHECKSUM tells whether any differ. */
const MAINTENANCE: Readonly<Record<string, Access>> = {
  analyze: 'lock',
  check: 'lock',
  checksum: 'read',
  optimize: 'lock',
  repair: 'lock',
  'cache index': 'lock',
  'load index': 'lock',
  import: 'define',
}

const tableMaintenance: Handler<'table-maintenance'> = (run, { action, tables, views }) => {
  begin(run, `${action}${/index|import/.test(action) ? '' : views ? ' view' : ' table'}`, 'admin')
  const { draft, walk, context } = run
  for (const name of tables) {
    const access = MAINTENANCE[action] ?? 'define'
    for (const candidate of useRelation(context, draft, { name, access })) {
      if (action !== 'checksum' || candidate.kind !== 'relation') continue
      for (const { value } of walk.relationColumns(candidate.relation, 'read')) {
        draft.useAll(value, 'predicate')
        for (const source of value.sources) draft.column(source)
      }
    }
  }
  if (action === 'checksum') draft.effect('read')
  else draft.state.push({ kind: 'commit' })
  describes(run)
}

const kill: Handler<'kill'> = (run, { id }) => {
  begin(run, 'kill', 'admin')
  if (id !== null) run.walk.value(id, newScope(null))
  run.requireAllVisited()
}

const flush: Handler<'flush'> = (run, { tables }) => {
  begin(run, 'flush', 'admin')
  if (tables.length > 0) run.draft.effect('lock')
  for (const name of tables) useRelation(run.context, run.draft, { name, access: 'lock' })
  run.draft.state.push({ kind: 'commit' })
}

const administer: Handler<'administer'> = (run, { command }) => {
  begin(run, command, 'admin')
  if (/install|component/.test(command)) run.draft.state.push({ kind: 'catalog' })
}

export const administrationStatements: Handlers<
  | 'account-statement'
  | 'rename-users'
  | 'grant'
  | 'table-maintenance'
  | 'kill'
  | 'flush'
  | 'administer'
> = {
  'account-statement': accountStatement,
  'rename-users': renameUsers,
  grant,
  'table-maintenance': tableMaintenance,
  kill,
  flush,
  administer,
}
