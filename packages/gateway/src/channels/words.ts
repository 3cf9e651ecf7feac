/** What people are told of an approval, in words: no statement, no value of one. */

import type { Estimated, Preview, Shown } from '../approvals/journal.ts'
import type { Approval } from '../approvals/state.ts'
import { counted } from '../counted.ts'

/** Who wants what, under which rule, and why: a sentence or two. */
export function sayRequest({ id, request }: Approval): string {
  const { subject, graph, node, connection, rule, reason, what, role, grant } = request
  const place = [graph, node].filter((part) => part !== undefined).join('/')
  const who = inLine(place === '' ? subject : `${subject} (${place})`)
  const wants = {
    grant: `the role ${inLine(role)} for ${counted((grant?.forMs ?? 0) / 60_000, 'minute')}`,
    statement: 'to run a statement',
    result: 'the rest of a result',
  }[what]
  const why = reason === undefined ? '' : `\nReason: ${inLine(reason)}`
  return `${who} wants ${wants} on ${connection}. Rule: ${rule}. ${id}${why}`
}

/** Text of somebody else's: what would not be seen, or turns the rest around, is said by its number. */
export function visible(text: string): string {
  return text.replace(/[^\P{C}\n\t]/gu, (hidden) => {
    const code = (hidden.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
    return `[U+${code}]`
  })
}

/** And on the line it is on: nothing below it looks as if we had said it. */
function inLine(text: string): string {
  return visible(text.replace(/\s*[\n\t]\s*/g, ' '))
}

/** A line for each thing that is known of what it would do. */
export function sayShown(shown: Shown | null): readonly string[] {
  const { estimate = null, preview = null } = shown ?? {}
  return [
    ...(estimate === null ? [] : [sayEstimate(estimate)]),
    ...(preview === null ? [] : [sayPreview(preview)]),
  ]
}

function sayPreview(preview: Preview): string {
  if (preview.kind === 'none') return `No preview: ${preview.why}`
  return `Run and rolled back, it changed ${counted(preview.affected, 'row')}`
}

function sayEstimate(estimate: Estimated): string {
  if (estimate.kind === 'none') return `No estimate: ${estimate.why}`
  const cost = estimate.cost === null ? '' : `, cost ${estimate.cost}`
  return `The database expects ${counted(estimate.rows, 'row')}${cost}`
}
