/** What a command gets from its surroundings, so that tests can give something else. */
import type { Output } from './output.ts'

export interface Cli {
  readonly out: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean | undefined }
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Ends what follows: `audit tail --follow`, `approvals watch`, `login`. */
  readonly stop: AbortSignal
}
