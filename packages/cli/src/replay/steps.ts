/**
 * A session as steps to be looked at: its records in the log and what its recording shows, in the order of
 * time. A record of a statement stands before what answers it: it was written first.
 */
import { type AuditReader, type AuditRecord, isKnownEvent, type Statement } from '@sallyport/audit'
import type { ShownColumn, ShownItem, ShownReport } from '@sallyport/gateway'

/** Rows of one result held at once; more of them are counted. */
export const RESULT_ROWS_MAX = 10_000
/** Bytes of data held of one result, each way. */
const COPIED_BYTES_MAX = 1_048_576
const PAGE_ROWS = 1_000
/** Statements whose results may be pending at once. */
const ASKED_MAX = 10_000

export interface Result {
  readonly columns: readonly ShownColumn[]
  readonly rows: readonly (readonly (string | null)[])[]
  /** COPY data the client got, and data it sent. */
  readonly copied: Buffer
  readonly sent: Buffer
  /** Rows that went to the client and are not here: not recorded, or over RESULT_ROWS_MAX. */
  readonly missing: number
  /** The server's word for what was done; null when the result came to no end. */
  readonly tag: string | null
  readonly report: ShownReport | null
}

/** `at`: milliseconds since 1970. */
export type Step = { readonly at: number } & (
  | { readonly kind: 'record'; readonly record: AuditRecord }
  | { readonly kind: 'statement'; readonly seq: number; readonly statement: Statement }
  /** `statement`: the record it answers; null when it answers none that ran. */
  | {
      readonly kind: 'result'
      readonly statement: number | null
      readonly result: Result
      /** From the statement's record to this, milliseconds; null where it answers none. */
      readonly ms: number | null
    }
  | { readonly kind: 'notice'; readonly report: ShownReport }
)

/** The records of a session, page by page. */
export async function* recordsOf(
  reader: AuditReader,
  session: string,
): AsyncGenerator<AuditRecord> {
  let after: number | null = 0
  while (after !== null) {
    const page: { items: readonly AuditRecord[]; next: number | null } = await reader.showSession(
      session,
      { after, limit: PAGE_ROWS },
    )
    yield* page.items
    after = page.next
  }
}

/** `shown`: null where the session was not recorded; then records say how each statement went. */
export async function* stepsOf(
  records: AsyncIterable<AuditRecord>,
  shown: Iterable<ShownItem> | null,
): AsyncGenerator<Step> {
  /** When the statements that were asked last were recorded. */
  const asked = new Map<number, number>()
  const timed = (step: Step): Step => {
    if (step.kind !== 'result' || step.statement === null) return step
    const since = asked.get(step.statement)
    return since === undefined ? step : { ...step, ms: step.at - since }
  }
  const results = resultSteps(shown ?? [])[Symbol.iterator]()
  let next = results.next()
  for await (const record of records) {
    while (next.done !== true && next.value.at < record.at) {
      yield timed(next.value)
      next = results.next()
    }
    const step = recordStep(record, shown !== null)
    if (step?.kind === 'statement') remember(asked, step)
    if (step !== null) yield step
  }
  for (; next.done !== true; next = results.next()) yield timed(next.value)
}

function remember(asked: Map<number, number>, { seq, at }: Step & { kind: 'statement' }): void {
  const [oldest] = asked.keys()
  if (asked.size >= ASKED_MAX && oldest !== undefined) asked.delete(oldest)
  asked.set(seq, at)
}

/** Null for what a reader of a session need not see. */
function recordStep(record: AuditRecord, isRecorded: boolean): Step | null {
  const { at, seq, event } = record
  if (!isKnownEvent(event)) return { at, kind: 'record', record }
  switch (event.type) {
    case 'statement':
      return { at, kind: 'statement', seq, statement: event }
    case 'outcome':
      return isRecorded ? null : { at, kind: 'record', record }
    case 'recording-sealed':
      return null
    default:
      return { at, kind: 'record', record }
  }
}

/** What was shown, put together to results. */
function* resultSteps(shown: Iterable<ShownItem>): Generator<Step> {
  let open = new OpenResult()
  for (const item of shown) {
    const { at } = item
    switch (item.kind) {
      case 'notice':
        yield { at, kind: 'notice', report: item.report }
        break
      case 'answered':
        if (!open.isEmpty)
          yield { at, kind: 'result', statement: item.statement, result: open, ms: null }
        open = new OpenResult()
        break
      case 'end':
        break
      default:
        // What answers nothing that ran, as a refusal, ends where the next begins.
        if (open.isOver) {
          yield { at: open.at, kind: 'result', statement: null, result: open, ms: null }
          open = new OpenResult()
        }
        open.take(item)
    }
  }
  if (!open.isEmpty) yield { at: open.at, kind: 'result', statement: null, result: open, ms: null }
}

type Data = Extract<
  ShownItem,
  { readonly kind: 'columns' | 'row' | 'copied' | 'sent' | 'omitted' | 'complete' | 'error' }
>

class OpenResult implements Result {
  at = 0
  columns: readonly ShownColumn[] = []
  readonly rows: (readonly (string | null)[])[] = []
  copied: Buffer = Buffer.alloc(0)
  sent: Buffer = Buffer.alloc(0)
  missing = 0
  tag: string | null = null
  report: ShownReport | null = null

  get isOver(): boolean {
    return this.tag !== null || this.report !== null
  }

  get isEmpty(): boolean {
    const bytes = this.copied.length + this.sent.length
    return !this.isOver && this.columns.length + this.rows.length + this.missing + bytes === 0
  }

  take(item: Data): void {
    this.at = item.at
    switch (item.kind) {
      case 'columns':
        this.columns = item.columns
        break
      case 'row':
        if (this.rows.length < RESULT_ROWS_MAX) this.rows.push(item.cells)
        else this.missing++
        break
      case 'copied':
        this.copied = appended(this.copied, item.bytes)
        break
      case 'sent':
        this.sent = appended(this.sent, item.bytes)
        break
      case 'omitted':
        this.missing += item.rows
        break
      case 'complete':
        this.tag = item.tag
        break
      case 'error':
        this.report = item.report
        break
    }
  }
}

function appended(data: Buffer, bytes: Buffer): Buffer {
  return data.length < COPIED_BYTES_MAX ? Buffer.concat([data, bytes]) : data
}
