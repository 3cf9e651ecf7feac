/**
 * What another policy changes over a period, as a diff to be read: what would become of how many statements, then
 * each statement once, by its fingerprint, with how often it was run and by whom.
 */
import type { AuditRecord, Statement } from '@sallyport/audit'
import { formatMoment } from '../duration.ts'
import { counted } from '../numbers.ts'
import { type Output, styled } from '../output.ts'

/** Statements listed, by fingerprint and change; of more only the number is told. */
export const CHANGES_MAX = 1_000
/** Subjects named of each. */
const SUBJECTS_SHOWN = 3
/** Subjects remembered of each. */
const SUBJECTS_MAX = 1_000

export interface Decision {
  readonly verdict: 'allow' | 'deny' | 'approve'
  readonly rule: string | null
  readonly masks: readonly string[]
  /** Of a refusal, in words. */
  readonly reason?: string | undefined
}

export interface Change {
  readonly record: AuditRecord
  readonly statement: Statement
  readonly now: Decision
  readonly subject: string
  readonly connection: string
}

/** What becomes of a statement; what matters most first. */
const BECOMES = [
  'refused',
  'held for approval',
  'allowed',
  'masked otherwise',
  'decided by another rule',
] as const
type Becomes = (typeof BECOMES)[number]

interface Group {
  readonly becomes: Becomes
  readonly newest: Change
  readonly subjects: Set<string>
  count: number
}

export class PolicyChanges {
  readonly #groups = new Map<string, Group>()
  readonly #counts = new Map<Becomes, number>()
  /** Changes that are in no group: there are too many. */
  #unlisted = 0

  /** Newest first. */
  take(change: Change): void {
    const { statement, now, connection, subject } = change
    const becomes = becomesOf(statement, now)
    this.#counts.set(becomes, (this.#counts.get(becomes) ?? 0) + 1)
    const text = statement.fingerprint ?? statement.sql
    const key = [connection, wordsOf(statement), wordsOf(now), text].join('\n')
    let group = this.#groups.get(key)
    if (group === undefined) {
      if (this.#groups.size >= CHANGES_MAX) {
        this.#unlisted++
        return
      }
      group = { becomes, newest: change, subjects: new Set(), count: 0 }
      this.#groups.set(key, group)
    }
    group.count++
    if (group.subjects.size < SUBJECTS_MAX) group.subjects.add(subject)
  }

  print(out: Output): void {
    const groups = [...this.#groups.values()].sort((a, b) => b.count - a.count)
    for (const becomes of BECOMES) {
      const count = this.#counts.get(becomes)
      if (count !== undefined) out.line(`${counted(count, 'statement')} would be ${becomes}`)
    }
    for (const becomes of BECOMES) {
      const those = groups.filter((group) => group.becomes === becomes)
      if (those.length === 0) continue
      out.line()
      out.line(styled('bold', `would be ${becomes}`))
      for (const group of those) printGroup(group, out)
    }
    if (this.#unlisted > 0) out.line(`and ${counted(this.#unlisted, 'statement')} of other kinds`)
  }
}

function printGroup({ count, subjects, newest }: Group, out: Output): void {
  const { record, statement, connection } = newest
  const named = [...subjects].slice(0, SUBJECTS_SHOWN).join(', ')
  const others = subjects.size - SUBJECTS_SHOWN
  const who = others > 0 ? `${named} and ${others} more` : named
  const place = `#${record.seq} ${formatMoment(record.at)} ${statement.session.slice(0, 8)}`
  out.line([styled('bold', `${count}× `), ...textOf(statement)])
  out.line(styled('dim', `   on ${connection} by ${who}, newest ${place}`))
  printDiff(newest, out)
}

/** One changed statement by itself. */
export function printChange(change: Change, out: Output): void {
  const { record, statement } = change
  const { session } = statement
  out.line(styled('dim', `#${record.seq} ${formatMoment(record.at)}  ${session.slice(0, 8)}`))
  out.line(['  ', ...textOf(statement)])
  printDiff(change, out)
}

function textOf({ sql, withheld }: Statement): (string | ReturnType<typeof styled>)[] {
  return [sql, styled('dim', withheld === 'values' ? '  (without its values)' : '')]
}

function printDiff({ statement, now }: Change, out: Output): void {
  out.line(styled('red', `- ${wordsOf(statement)}`))
  const why = now.reason === undefined ? '' : `: ${now.reason}`
  out.line(styled('green', `+ ${wordsOf(now)}${why}`))
}

function becomesOf(before: Statement, now: Decision): Becomes {
  if (before.verdict === now.verdict) {
    return sameMasks(before.masks, now.masks) ? 'decided by another rule' : 'masked otherwise'
  }
  switch (now.verdict) {
    case 'deny':
      return 'refused'
    case 'approve':
      return 'held for approval'
    case 'allow':
      return 'allowed'
  }
}

export function sameDecision(before: Statement, now: Decision): boolean {
  const { verdict, rule, masks } = before
  return verdict === now.verdict && rule === now.rule && sameMasks(masks, now.masks)
}

function sameMasks(before: readonly string[], now: readonly string[]): boolean {
  return [...before].sort().join('\n') === [...now].sort().join('\n')
}

function wordsOf({
  verdict,
  rule,
  masks,
}: Pick<Statement, 'verdict' | 'rule' | 'masks'> | Decision): string {
  const by = rule === null ? 'no rule' : rule
  return `${verdict} by ${by}${masks.length === 0 ? '' : `, masks ${masks.join(', ')}`}`
}
