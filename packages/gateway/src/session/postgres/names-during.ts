/** What names may mean inside a text of several statements, whose earlier ones change what they mean. */
import type { SessionNames, StateChange, StatementFacts } from '@sallyport/sql'
import { mattersToNames } from './names.ts'

export interface NamesAndPending extends SessionNames {
  /** The open transaction has changed what names mean, and its end may undo that. Absent: it may have. */
  readonly pending?: boolean
}

interface Moved {
  path: boolean
  temporaries: boolean
  prepared: boolean
  cursors: boolean
}

/** `names` itself where no statement but the last changes them; else names as uncertain as that leaves them. */
export function namesDuring(
  names: NamesAndPending,
  statements: readonly StatementFacts[],
): SessionNames {
  const moved: Moved = { path: false, temporaries: false, prepared: false, cursors: false }
  for (const statement of statements.slice(0, -1)) {
    for (const change of statement.state) note(change, moved, names.pending ?? true)
  }
  const { path, temporaries, prepared, cursors } = moved
  if (!path && !temporaries && !prepared && !cursors) return names
  return {
    searchPath: path ? 'uncertain' : names.searchPath,
    temporaries: temporaries ? new Map() : names.temporaries,
    temporariesCertain: names.temporariesCertain && !temporaries,
    prepared: prepared ? () => undefined : names.prepared,
    cursors: cursors ? () => undefined : names.cursors,
  }
}

function note(change: StateChange, moved: Moved, pending: boolean): void {
  switch (change.kind) {
    case 'begin':
    case 'savepoint':
      return
    case 'commit':
    case 'rollback':
    case 'rollback-to':
      // Undoes, or ends, what this text or the block before it did to them.
      if (pending || moved.path) moved.path = true
      if (pending || moved.temporaries) moved.temporaries = true
      moved.cursors = true
      return
    case 'set':
      if (mattersToNames(change.name)) moved.path = true
      return
    case 'prepare':
    case 'deallocate':
      moved.prepared = true
      return
    case 'declare-cursor':
    case 'close-cursor':
      moved.cursors = true
      return
    case 'create-temporary':
    case 'drop-temporary':
      moved.temporaries = true
      return
    case 'catalog':
      // A relation that comes or goes lets a name mean one of another schema.
      moved.path = true
      return
    case 'uncertain':
      Object.assign(moved, { path: true, temporaries: true, prepared: true, cursors: true })
      return
    default: {
      const never: never = change
      throw new Error(`unexpected state change ${String(never)}`)
    }
  }
}
