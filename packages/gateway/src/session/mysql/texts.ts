/** Reading MySQL texts for decisions. */
import type { Analysis, Catalog } from '@sallyport/sql'
import type { TextReader } from '../decisions.ts'
import type { MysqlSessionNames } from './names.ts'

/**
 * There is no reader of MySQL statements yet: every text is one that is not understood, which only policy that
 * names the effect `unknown` lets pass, and nobody under masks.
 */
export class MysqlTexts implements TextReader<MysqlSessionNames> {
  readonly unreadable = UNREADABLE

  analyze(_text: string, _catalog: Catalog | null, _names: MysqlSessionNames): Analysis {
    return UNREADABLE
  }

  fingerprint(_text: string, _names: MysqlSessionNames): string | null {
    return null
  }

  /** What the server is sent for it; null: the text as it came. */
  forward(_text: string, _names: MysqlSessionNames): string | null {
    return null
  }

  withoutLiterals(text: string): string {
    return `/* ${text.length} characters */`
  }
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
