/** Reading PostgreSQL texts for decisions. */
import type { WithheldColumn } from '@sallyport/policy'
import type {
  Analysis,
  Catalog,
  PostgresReader,
  PreviewWanted,
  SessionNames,
  Sorting,
} from '@sallyport/sql'
import type { TextReader } from '../decisions.ts'

/** The server reads text by rules the parser cannot be set to: nothing is known about any statement. */
const UNREADABLE: Analysis = {
  kind: 'unparsable',
  code: 'encoding',
  sqlstate: '0A000',
  message:
    'statements cannot be read while standard_conforming_strings is off or client_encoding is not UTF8',
  position: null,
  hint: 'Reset the setting, or reconnect.',
  detail: null,
}

/**
 * What ends that: texts that mean the same by every rule, and say nothing of relations. Strings without a backslash or a
 * quote end where they end, and ASCII is itself in every encoding of clients.
 */
const READS_ALIKE = new RegExp(
  `^\\s*(${[
    '(begin|start transaction|commit|end|rollback|abort)( work| transaction)?',
    '(discard|reset) all',
    '(reset|show) (standard_conforming_strings|client_encoding)',
    "set (session |local )?standard_conforming_strings ?(=| to) ?('?on'?|default)",
    "set (session |local )?client_encoding ?(=| to) ?('?utf-?8'?|default)",
    "set names ('utf-?8'|default)",
  ]
    .join('|')
    .replaceAll(' ?', '\\s*')
    .replaceAll(' ', '\\s+')})\\s*;?\\s*$`,
  'i',
)

/** Is it read alike whatever the session's settings are? */
export const readsAlike = (text: string): boolean => text.length < 200 && READS_ALIKE.test(text)

export class PostgresTexts implements TextReader<SessionNames> {
  readonly unreadable = UNREADABLE
  readonly #reader: PostgresReader
  readonly #onFault: (fault: string) => void

  /** `onFault`: an analysis failed by a fault of ours; its text was refused. */
  constructor(reader: PostgresReader, onFault: (fault: string) => void) {
    this.#reader = reader
    this.#onFault = onFault
  }

  /** Resolves when texts can be read again; null: they can. */
  ready(): Promise<void> | null {
    return this.#reader.ready()
  }

  analyze(text: string, catalog: Catalog | null, names: SessionNames): Analysis {
    const analysis = this.#reader.analyze(text, { catalog, names })
    if (analysis.kind === 'unparsable' && analysis.fault) this.#onFault(analysis.fault)
    return analysis
  }

  withhold(text: string, columns: readonly WithheldColumn[]): string | null {
    return this.#reader.withhold(text, columns)
  }

  sorted(text: string, sortings: readonly Sorting[]): string | null {
    return this.#reader.sorted(text, sortings)
  }

  copied(text: string): string | null {
    return this.#reader.copied(text)
  }

  /** Its statements as texts of their own; null: that is not certain. */
  parts(text: string): readonly string[] | null {
    return this.#reader.parts(text)
  }

  preview(text: string, wanted: PreviewWanted): string | null {
    return this.#reader.preview(text, wanted)
  }

  fingerprint(text: string): string | null {
    return this.#reader.fingerprint(text)
  }
}
