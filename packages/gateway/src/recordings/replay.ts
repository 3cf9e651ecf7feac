/**
 * A recording's frames as what its client was shown: columns, rows, reports, in no protocol's own form.
 * `postgres-output.ts` and `mysql-output.ts` read the protocols' bytes.
 */
import type { RecordingFrame, RecordingOpen, ResultShape } from '@sallyport/audit'
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

/** How rows are to be read that come without a description. */
export type Columns = ResultShape['columns']

/** Reads the output of one protocol. */
export interface OutputReader {
  /** Bytes sent to the client; what is left of a message waits for the next. */
  output(bytes: Buffer, at: number): Iterable<ShownItem>
  /** What comes are rows of these columns. */
  begins(columns: Columns): void
  /** Rows of the present result were left out. */
  omitted(rows: number): void
  /** The answer to a statement ends here: what only now is known of it. */
  completed(at: number): Iterable<ShownItem>
}

/** What the frames of one recording show, in order. */
export function* replayFrames(frames: Iterable<RecordingFrame>): Generator<ShownItem> {
  let reader: OutputReader | null = null
  const shapes = new Map<number, Columns>()
  for (const frame of frames) {
    if (frame.kind === 'open') reader = readerFor(frame.open)
    else if (frame.kind === 'shape') shapes.set(frame.shape.id, frame.shape.columns)
    else if (reader !== null) yield* shownBy(frame, reader, shapes)
  }
}

function* shownBy(
  frame: Exclude<RecordingFrame, { kind: 'open' | 'shape' }>,
  reader: OutputReader,
  shapes: ReadonlyMap<number, Columns>,
): Generator<ShownItem> {
  const { at } = frame
  switch (frame.kind) {
    case 'output':
      yield* reader.output(frame.bytes, at)
      return
    case 'input':
      yield { at, kind: 'sent', bytes: frame.bytes }
      return
    case 'result': {
      const columns = shapes.get(frame.shape) ?? []
      reader.begins(columns)
      yield { at, kind: 'columns', columns }
      return
    }
    case 'omitted':
      reader.omitted(frame.rows)
      yield frame
      return
    case 'answered':
      yield* reader.completed(at)
      yield frame
      return
    case 'end':
      yield frame
      return
    default:
      frame satisfies never
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
