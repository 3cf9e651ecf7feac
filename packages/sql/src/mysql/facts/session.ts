/** Settings, the current database, transactions, locks, prepared statements' ends. */
import type { SetItem } from '../ast.ts'
import { useRelation } from '../resolve.ts'
import type { Handler, Handlers, Run } from './run.ts'
import { describes } from './run.ts'
import { noteSettings } from './settings.ts'

const set: Handler<'set'> = (run, node) => {
  run.draft.command = commandOf(node.items)
  run.draft.dividable = node.items.length > 1
  for (const item of node.items) noteItem(run, item)
  run.requireAllVisited()
}

/** The command of the first item: SET PASSWORD and the like stand alone. */
function commandOf([first]: readonly SetItem[]): string {
  return first === undefined || first.kind === 'set-variable'
    ? 'set'
    : first.kind.replaceAll('-', ' ')
}

function noteItem(run: Run, item: SetItem): void {
  const { draft } = run
  draft.literalIndependent = false
  const setting = (name: string, values: readonly string[] | null) => {
    draft.effect('session')
    draft.state.push({ kind: 'set', name, local: false, values })
  }
  switch (item.kind) {
    case 'set-variable':
      noteSettings(run, [item], { local: false })
      return
    case 'set-names':
      setting('names', item.charset === null ? null : [item.charset])
      if (item.collation !== null) setting('collation_connection', [item.collation])
      return
    case 'set-character-set':
      setting('character_set', item.charset === null ? null : [item.charset])
      return
    case 'set-role':
      setting('role', [item.mode, ...item.roles.map((role) => role.name ?? '')])
      return
    case 'set-password':
    case 'set-default-role':
      draft.effect('admin')
      return
    case 'set-transaction':
      noteCharacteristics(run, item.characteristics, item.scope)
      return
  }
}

function noteCharacteristics(
  run: Run,
  characteristics: readonly string[],
  scope: 'global' | 'session' | null,
): void {
  const { draft } = run
  draft.effect('transaction')
  if (scope === 'global') draft.effect('admin')
  const prefix = scope === 'global' ? 'global.' : ''
  for (const text of characteristics) {
    const level = /^isolation level (.+)$/.exec(text)?.[1]
    const [name, value] =
      level === undefined
        ? ['transaction_read_only', text === 'read only' ? '1' : '0']
        : ['transaction_isolation', level.replaceAll(' ', '-')]
    draft.state.push({
      kind: 'set',
      name: `${prefix}${name}`,
      local: scope === null,
      values: [value],
    })
  }
}

const use: Handler<'use'> = ({ draft }, { database }) => {
  draft.command = 'use'
  draft.effect('session')
  draft.literalIndependent = false
  draft.state.push({ kind: 'set', name: 'database', local: false, values: [database.value] })
}

const transaction: Handler<'transaction'> = ({ draft }, node) => {
  draft.effect('transaction')
  draft.command = node.action
  switch (node.action) {
    case 'begin':
      draft.command = node.characteristics.length > 0 ? 'start transaction' : 'begin'
      draft.state.push({ kind: 'begin' })
      for (const text of node.characteristics) {
        if (!/^read (only|write)$/.test(text)) continue
        const values = [text === 'read only' ? '1' : '0']
        draft.state.push({ kind: 'set', name: 'transaction_read_only', local: true, values })
      }
      return
    case 'commit':
    case 'rollback':
      draft.state.push({ kind: node.action })
      if (node.chain === true) draft.state.push({ kind: 'begin' })
      return
    case 'savepoint':
      draft.state.push({ kind: 'savepoint' })
      return
    case 'rollback to':
      draft.command = 'rollback'
      draft.state.push({ kind: 'rollback-to' })
      return
    case 'release savepoint':
      draft.command = 'release'
  }
}

const xa: Handler<'xa'> = (run, { action }) => {
  const { draft } = run
  draft.command = `xa ${action}`
  draft.effect('transaction')
  switch (action) {
    case 'begin':
      draft.state.push({ kind: 'begin' })
      return
    case 'commit':
    case 'rollback':
      draft.state.push({ kind: action })
      return
    case 'recover':
      draft.effect('admin')
      describes(run)
      return
    case 'end':
    case 'prepare':
      return
  }
}

/** It commits, and limits the session to the tables it names. */
const lockTables: Handler<'lock-tables'> = (run, node) => {
  const { draft } = run
  draft.command = node.instance ? 'lock instance' : 'lock tables'
  draft.effect('lock')
  if (node.instance) draft.effect('admin')
  else draft.state.push({ kind: 'commit' })
  for (const { table } of node.tables) {
    useRelation(run.context, draft, { name: table, access: 'lock' })
  }
}

const unlockTables: Handler<'unlock-tables'> = ({ draft }, { instance }) => {
  draft.command = instance ? 'unlock instance' : 'unlock tables'
  draft.effect(instance ? 'admin' : 'transaction')
  if (!instance) draft.state.push({ kind: 'commit' })
}

const deallocate: Handler<'deallocate'> = ({ draft }, { name }) => {
  draft.command = 'deallocate'
  draft.effect('session')
  draft.state.push({ kind: 'deallocate', name: name.value.toLowerCase() })
}

/** Comments only. */
const empty: Handler<'empty'> = ({ draft }) => {
  draft.command = 'empty'
}

export const sessionStatements: Handlers<
  'set' | 'use' | 'transaction' | 'xa' | 'lock-tables' | 'unlock-tables' | 'deallocate' | 'empty'
> = {
  set,
  use,
  transaction,
  xa,
  'lock-tables': lockTables,
  'unlock-tables': unlockTables,
  deallocate,
  empty,
}
