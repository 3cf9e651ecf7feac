/**
 * What a record and a session are searched by: terms, as `kind:value`. The same function says what the
 * index holds of a record and, when a candidate is looked at again, whether it is a match. Pure.
 */

import type { StoredEvent } from '../event.ts'

export type TermKind =
  // Of a session, and of every record in it.
  | 'subject'
  | 'group'
  | 'connection'
  | 'role'
  | 'graph'
  | 'node'
  | 'run'
  /** In an index of several: whose log it is of. */
  | 'gateway'
  // Of a record.
  | 'type'
  | 'verdict'
  | 'rule'
  | 'relation'
  | 'column'
  | 'fingerprint'
  | 'about'
  /** A record of an earlier block speaks of this statement. */
  | 'refers'

export function termOf(kind: TermKind, value: string | number): string {
  return `${kind}:${value}`
}

const SESSION_FIELDS = ['subject', 'connection', 'role', 'graph', 'node', 'run'] as const

/** Terms a session gets from one of its records: who it is, and where from. */
export function sessionTermsOf(event: StoredEvent): readonly string[] {
  switch (event.type) {
    case 'authentication':
    case 'session-started':
      return identityTerms(event)
    default:
      return NONE
  }
}

const NONE: readonly string[] = []

function identityTerms(event: StoredEvent): string[] {
  const terms: string[] = []
  for (const field of SESSION_FIELDS) {
    const value = event[field]
    if (typeof value === 'string' && value !== '') terms.push(termOf(field, value))
  }
  for (const group of textsOf(event['groups'])) terms.push(termOf('group', group))
  return terms
}

/** Terms of one record by itself. */
export function recordTermsOf(event: StoredEvent): string[] {
  const terms = [termOf('type', event.type)]
  if (event.type === 'outcome') return terms
  if (event.type !== 'statement') terms.push(...identityTerms(event))
  for (const kind of ['verdict', 'rule', 'fingerprint'] as const) {
    const value = event[kind]
    if (typeof value === 'string') terms.push(termOf(kind, value))
  }
  for (const about of [event['approval'], event['tokenId']]) {
    if (typeof about === 'string') terms.push(termOf('about', about))
  }
  relationTerms(event, terms)
  for (const column of textsOf(event['masks'])) terms.push(termOf('column', column))
  return terms
}

/** A relation is found by its full name and by its bare one. */
function relationTerms(event: StoredEvent, terms: string[]): void {
  const { relations } = event
  if (!Array.isArray(relations)) return
  for (const relation of relations) {
    // Safe: whatever it is, a property of it is either a text or not.
    const name: unknown = (relation as { name?: unknown } | null)?.name
    if (typeof name !== 'string') continue
    terms.push(termOf('relation', name))
    const dot = name.lastIndexOf('.')
    if (dot >= 0) terms.push(termOf('relation', name.slice(dot + 1)))
  }
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : NONE
}

const WORD = /[\p{L}\p{N}_]+/gu

/** Words of a text as the index knows them: case and accents left out. */
export function wordsOf(text: string): readonly string[] {
  const plain = text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
  return plain.match(WORD) ?? []
}

/** All words occur in the text; the last one may be the start of one. */
export function hasWords(text: string, words: readonly string[]): boolean {
  const all = wordsOf(text)
  const last = words.at(-1)
  return words.every(
    (word) => all.includes(word) || (word === last && all.some((one) => one.startsWith(word))),
  )
}
