/** A session for other programs: JSON Lines, CSV of its results, and asciicast v2 for asciinema. */
import { Output } from '../output.ts'
import { linesOf, type ScreenOptions } from './screen.ts'
import type { Step } from './steps.ts'

/** One step as a JSON value. */
export function jsonOf(step: Step): unknown {
  const at = new Date(step.at).toISOString()
  switch (step.kind) {
    case 'statement': {
      const { type: _, v: __, session: ___, ...statement } = step.statement
      return { at, kind: 'statement', seq: step.seq, ...statement }
    }
    case 'result': {
      const { columns, rows, missing, tag, report, copied, sent } = step.result
      return {
        at,
        kind: 'result',
        statement: step.statement,
        ms: step.ms,
        columns: columns.map(({ name }) => name),
        rows,
        missing,
        tag,
        ...(report !== null && { report }),
        ...(sent.length > 0 && { sent: sent.toString('utf8') }),
        ...(copied.length > 0 && { copied: copied.toString('utf8') }),
      }
    }
    case 'notice':
      return { at, kind: 'notice', ...step.report }
    case 'record':
      return { at, kind: 'event', seq: step.record.seq, event: step.record.event }
  }
}

/** RFC 4180: one result after another, an empty line between; null is an empty field, empty text is quoted. */
export function csvOf({ result }: Step & { kind: 'result' }): string {
  const line = (cells: readonly (string | null)[]): string => `${cells.map(csvField).join(',')}\r\n`
  return line(result.columns.map(({ name }) => name)) + result.rows.map(line).join('')
}

function csvField(cell: string | null): string {
  if (cell === null) return ''
  return cell === '' || /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}

/** https://docs.asciinema.org/manual/asciicast/v2/ */
export async function* asciicastOf(
  steps: AsyncIterable<Step>,
  options: ScreenOptions & { readonly height: number; readonly idleMs: number; title: string },
): AsyncGenerator<string> {
  const { width, height, idleMs, title } = options
  let start: number | null = null
  let seconds = 0
  let before = 0
  for await (const step of steps) {
    if (start === null) {
      start = step.at
      const timestamp = Math.floor(start / 1000)
      yield `${JSON.stringify({ version: 2, width, height, timestamp, title })}\n`
    } else {
      seconds += Math.min(step.at - before, idleMs) / 1000
    }
    before = step.at
    const text = drawn(step, options)
    if (text !== '') yield `${JSON.stringify([Number(seconds.toFixed(6)), 'o', text])}\n`
  }
}

/** As a terminal with colours gets it. */
function drawn(step: Step, options: ScreenOptions): string {
  let text = ''
  const stdout = { isTTY: true, columns: options.width, write: (part: string) => (text += part) }
  const screen = new Output({ stdout, stderr: stdout, env: {} })
  for (const line of linesOf(step, options)) screen.line(line)
  return text.replaceAll('\n', '\r\n')
}
