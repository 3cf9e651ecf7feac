/** Asking people, alike on both protocols: what is asked for once, waited for, and answered. */

import { type Approve, approving, type PrincipalView } from '@sallyport/policy'
import type { Estimated, Shown } from '../approvals/journal.ts'
import { WORDS_CHARS_MAX } from '../approvals/limits.ts'
import { counted } from '../counted.ts'
import { commentTags } from './comment-tags.ts'
import { holdReport, REASON_NEEDED } from './hold-reports.ts'
import type { Held, SessionHolds } from './holds.ts'
import type { Report } from './reports.ts'

/** A statement that needs leave. `R`: a refusal as the protocol takes it. */
export interface StatementQuestion<R> {
  readonly held: Held
  readonly text: string
  readonly verdict: Approve
  readonly shown: () => Shown
  /** Writes the record of what is held: its number, or why it cannot be. */
  readonly record: () => number | R
  /** Refuses what has no reason where one is required, and records that. */
  readonly refuse: (code: string, report: Report) => R
  readonly refusal: (report: Report) => R
}

/** Asked again after every change: the record's number once it may run, once. */
export function askForStatement<R>(
  holds: SessionHolds,
  question: StatementQuestion<R>,
): number | R | 'wait' {
  const { held, text, verdict, record } = question
  const binding = holds.bindingOf(held)
  const found = holds.find(binding)
  if (found === null) {
    const reason = reasonOf(text)
    if (verdict.reason === 'required' && (reason ?? '').trim() === '') {
      return question.refuse('reason-needed', REASON_NEEDED)
    }
    const statement = record()
    if (typeof statement !== 'number') return statement
    const shown = question.shown()
    holds.begin({ what: 'statement', verdict, binding, statement, shown, reason })
    return 'wait'
  }
  const { state, statement } = found
  if (state.kind === 'asking' || state.kind === 'waiting') return 'wait'
  holds.done()
  return state.kind === 'granted' ? statement : question.refusal(holdReport(state.why, holds.link))
}

/** A statement that runs, and has given as much of one of its results as policy lets it. */
export interface RestQuestion {
  /** The statement as it runs. */
  readonly held: Held
  readonly text: string
  readonly limits: PrincipalView['limits']
  readonly shown: (estimate: Estimated) => Shown
  /** The record's number, and which of its results. */
  readonly of: { readonly statement: number; readonly result: number }
}

/**
 * Asked for like a statement, with leave for the rest of the result. Bound to the statement as it runs and to how
 * much was sent, so that one sent again finds what was decided.
 */
export function askForRest(
  holds: SessionHolds,
  { held, text, limits, shown, of }: RestQuestion,
): 'wait' | 'go-on' | Report {
  const { rows, bytes, approvers } = limits
  const beyond = `result ${of.result} beyond ${rows} rows, ${bytes} bytes`
  const binding = holds.bindingOf({ ...held, state: [...held.state, beyond] })
  const found = holds.find(binding)
  if (found === null) {
    const sent = [
      ...(rows === null ? [] : [counted(rows, 'row')]),
      ...(bytes === null ? [] : [counted(bytes, 'byte')]),
    ]
    const why = `it runs; up to ${sent.join(', ')} have been sent`
    holds.begin({
      what: 'result',
      verdict: approving(approvers, null),
      binding,
      statement: of.statement,
      shown: shown({ kind: 'none', why }),
      reason: reasonOf(text),
    })
    return 'wait'
  }
  const { state } = found
  if (state.kind === 'asking' || state.kind === 'waiting') return 'wait'
  holds.done()
  return state.kind === 'granted' ? 'go-on' : holdReport(state.why, holds.link)
}

/** What the requester says in a comment of the statement. */
function reasonOf(text: string): string | null {
  return commentTags(text).get('reason')?.slice(0, WORDS_CHARS_MAX) ?? null
}
