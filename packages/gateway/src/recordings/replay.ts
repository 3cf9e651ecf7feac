/**
 * A recording's frames as what its client was shown: columns, rows, reports, in no protocol's own form.
 * `postgres-output.ts` and `mysql-output.ts` read the protocols' bytes.
 */
import type { RecordingFrame, RecordingOpen } from '@sallyport/audit'
import { MysqlOutput } from './mysql-output.ts'
import { PostgresOutput } from './postgres-output.ts'

export interface ShownColumn {
  readonly name: string
  /** The engine's own number of its type. */
  readonly type: number
}

export interface ShownReport {
  readonly severity: string
  readonly sqlstate: string
  readonly message: string
  readonly detail: string | null
  readonly hint: string | null
}

/** `at`: milliseconds since 1970. */
export type ShownItem = { readonly at: number } & (
  | { readonly kind: 'columns'; readonly columns: readonly ShownColumn[] }
  | { readonly kind: 'row'; readonly cells: readonly (string | null)[] }
  | { readonly kind: 'copied'; readonly bytes: Buffer }
  /** Data the client sent. */
  | { readonly kind: 'sent'; readonly bytes: Buffer }
  | { readonly kind: 'omitted'; readonly rows: number; readonly bytes: number }
  /** The result is complete: the server's word for what was done. */
  | { readonly kind: 'complete'; readonly tag: string }
  | { readonly kind: 'error'; readonly report: ShownReport }
  | { readonly kind: 'notice'; readonly report: ShownReport }
  /** What was shown since the last one of these answers this statement of the log. */
  | { readonly kind: 'answered'; readonly statement: number }
  | { readonly kind: 'end'; readonly reason: string }
)

/** Reads the output of one protocol; keeps the rest of a message until the next frame brings it. */
export interface OutputReader {
  take(frame: RecordingFrame): Iterable<ShownItem>
}

/** What the frames of one recording show, in order. */
export function* replayFrames(frames: Iterable<RecordingFrame>): Generator<ShownItem> {
  let reader: OutputReader | null = null
  for (const frame of frames) {
    if (frame.kind === 'open') {
      reader = readerFor(frame.open)
      continue
    }
    if (reader !== null) yield* reader.take(frame)
  }
}

function readerFor({ protocol }: RecordingOpen): OutputReader {
  switch (protocol) {
    case 'postgres':
      return new PostgresOutput()
    case 'mysql':
      return new MysqlOutput()
  }
}
