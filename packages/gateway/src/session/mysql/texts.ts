/** Reading MySQL texts for decisions. */

import type { WithheldColumn } from '@sallyport/policy'
import {
  type Analysis,
  type Catalog,
  type ChangedRows,
  type Dialect,
  fingerprintMysql,
  layOutMysql,
  type MysqlReader,
  mysqlChangedRows,
  mysqlParts,
  mysqlValuesRows,
  type Sorting,
  sortedMysql,
  withholdMysql,
  withMysqlParameters,
  withoutMysqlComments,
  withoutMysqlLiterals,
  withoutMysqlSettings,
} from '@sallyport/sql'
import type { TextReader } from '../decisions.ts'
import { type MysqlSessionNames, movesNames } from './names.ts'

export class MysqlTexts implements TextReader<MysqlSessionNames> {
  readonly unreadable = UNREADABLE
  readonly #reader: MysqlReader
  readonly #onFault: (fault: string) => void

  /** `onFault`: an analysis failed by a fault of ours; its text was refused. */
  constructor(reader: MysqlReader, onFault: (fault: string) => void) {
    this.#reader = reader
    this.#onFault = onFault
  }

  /**
   * Every statement of one text is read as the session stands before the first. Where an earlier one moves
   * that (USE, SET sql_mode), the server reads the later ones otherwise: such a text is not understood.
   */
  analyze(text: string, catalog: Catalog | null, names: MysqlSessionNames): Analysis {
    const analysis = this.#reader.analyze(text, { catalog, names, dialect: dialectOf(names) })
    if (analysis.kind !== 'statements') {
      if (analysis.fault) this.#onFault(analysis.fault)
      return analysis
    }
    return analysis.statements.slice(0, -1).some(movesNames) ? MOVED : analysis
  }

  fingerprint(text: string, names: MysqlSessionNames): string | null {
    return fingerprintMysql(text, dialectOf(names))
  }

  withhold(
    text: string,
    columns: readonly WithheldColumn[],
    names: MysqlSessionNames,
  ): string | null {
    return withholdMysql(text, columns, dialectOf(names))
  }

  sorted(text: string, sortings: readonly Sorting[], names: MysqlSessionNames): string | null {
    const [only, ...others] = sortings
    if (only === undefined || others.length > 0) return null
    return sortedMysql(text, only.keys, dialectOf(names))
  }

  without(text: string, settings: readonly string[], names: MysqlSessionNames): string | null {
    return withoutMysqlSettings(text, settings, dialectOf(names))
  }

  /** Null: there are not as many markers, or it cannot be read. */
  withParameters(
    text: string,
    literals: readonly string[],
    names: MysqlSessionNames,
  ): string | null {
    return withMysqlParameters(text, literals, dialectOf(names))
  }

  /** The statements of exactly this text. Null: it cannot be read. */
  parts(text: string, names: MysqlSessionNames): readonly string[] | null {
    return mysqlParts(text, dialectOf(names))
  }

  /** The constant LIMIT of exactly this statement; null: it has none. */
  limit(text: string, names: MysqlSessionNames): number | null {
    const analysis = this.analyze(text, null, names)
    return analysis.kind === 'statements' ? (analysis.statements[0]?.limit ?? null) : null
  }

  /** Rows in the VALUES of an INSERT. */
  valuesRows(text: string, names: MysqlSessionNames): number {
    return mysqlValuesRows(text, dialectOf(names))
  }

  /** Null: they are not found by its WHERE alone. */
  changedRows(text: string, names: MysqlSessionNames): ChangedRows | null {
    return mysqlChangedRows(text, dialectOf(names))
  }

  /** Null: it cannot be laid out. */
  layOut(text: string, names: MysqlSessionNames): string | null {
    return layOutMysql(text, dialectOf(names))
  }

  withoutLiterals(text: string, names: MysqlSessionNames): string {
    return withoutMysqlLiterals(text, dialectOf(names))
  }

  withoutComments(text: string, names: MysqlSessionNames): string {
    return withoutMysqlComments(text, dialectOf(names))
  }
}

/** Most sessions of a gateway read alike: the latest dialect, and what it was made of. */
let latest: { readonly sqlMode: string | null; readonly dialect: Dialect } | null = null

function dialectOf({ flavour, serverVersion, sqlMode }: MysqlSessionNames): Dialect {
  const known = latest?.sqlMode === sqlMode ? latest.dialect : null
  if (known?.flavour === flavour && known.version === serverVersion) return known
  const modes = new Set((sqlMode ?? '').split(','))
  const dialect = {
    flavour,
    version: serverVersion,
    ansiQuotes: modes.has('ANSI_QUOTES'),
    noBackslashEscapes: modes.has('NO_BACKSLASH_ESCAPES'),
    pipesAsConcat: modes.has('PIPES_AS_CONCAT'),
    ignoreSpace: modes.has('IGNORE_SPACE'),
    highNotPrecedence: modes.has('HIGH_NOT_PRECEDENCE'),
  }
  latest = { sqlMode, dialect }
  return dialect
}

const UNREADABLE: Analysis = {
  kind: 'unparsable',
  code: 'encoding',
  sqlstate: '0A000',
  message: 'statements cannot be read under this sql_mode or character set',
  position: null,
  hint: 'Reset the setting, or reconnect.',
  detail: null,
}

const MOVED: Analysis = {
  kind: 'unparsable',
  code: 'too-complex',
  sqlstate: '0A000',
  message: 'a statement changes how the ones behind it in the same text are read',
  position: null,
  hint: 'Send USE and SET on their own.',
  detail: null,
}
