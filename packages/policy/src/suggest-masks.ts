/**
 * Which columns look sensitive, by their names and by a sample of their values, and a mask for each. A guess for
 * a person to read: names that say nothing and values without a shape are not found. No value leaves this file.
 */

import type { CatalogColumn, CatalogRelation } from '@sallyport/sql'
import { detectedIn } from './masks/detect.ts'
import type { Detector } from './masks/spec.ts'

export interface MaskSuggestion {
  readonly schema: string
  readonly relation: string
  readonly column: string
  /** As `with` of a policy file has it. */
  readonly with: unknown
  /** What speaks for it: `its name`, `12 of 50 values have a card number`. */
  readonly why: readonly string[]
}

/** Share of sampled values that must have a shape before it counts. */
const SHARE_MIN = 0.1

interface Guess {
  readonly names: RegExp
  readonly kind: string
  readonly with: unknown
  /** Types it makes sense for; text where not said. */
  readonly types?: RegExp
}

const TEXT =
  /^(text|varchar|bpchar|char|citext|(public\.)?citext|tinytext|mediumtext|longtext|name)$/
const NUMBER =
  /^(int[248]|numeric|decimal|float[48]|money|double|(tiny|small|medium|big)?int( unsigned)?|integer)$/
const DATE = /^(date|timestamp|timestamptz|datetime)$/

/** By name, first match wins: words stand alone or between underscores. */
const GUESSES: readonly Guess[] = [
  {
    kind: 'password',
    names:
      /pass(word|wd|phrase)?_?(hash|digest|salt)?|pwd|secret|private_key|totp|otp|pin_code|cvv|cvc/,
    with: 'redact',
  },
  {
    kind: 'token',
    names: /(api|access|auth|refresh|session|reset|bearer)_?(key|token)|token|credential/,
    with: 'redact',
  },
  {
    kind: 'identity number',
    names:
      /ssn|social_security(_number)?|national_id|tax_?(id|number)|passport(_no|_number)?|driver_?licen[cs]e|nino|sin|cpf|personnummer/,
    with: 'redact',
  },
  {
    kind: 'card number',
    names: /(credit_?)?card_?(no|num|number|pan)|pan|cc_?(no|num|number)/,
    with: { partial: { 'keep-last': 4 } },
  },
  {
    kind: 'bank account',
    names: /iban|bic|account_?(no|num|number)|routing_?number|sort_code/,
    with: { partial: { 'keep-last': 4 } },
  },
  { kind: 'e-mail address', names: /e?mail(_address)?/, with: 'email' },
  {
    kind: 'phone number',
    names: /(tele)?phone(_number|_no)?|mobile|cell|fax|msisdn/,
    with: { partial: { 'keep-last': 2 } },
  },
  {
    kind: 'name',
    names: /(first|last|middle|full|given|family|maiden|sur)_?name|surname/,
    with: 'redact',
  },
  {
    kind: 'address',
    names:
      /(street|home|postal|billing|shipping|mailing)?_?address(_line)?_?[123]?|line_?[123]|street|zip(_?code)?|post_?code/,
    with: 'redact',
  },
  {
    kind: 'date of birth',
    names: /birth_?(date|day)|date_of_birth|dob|born(_on|_at)?/,
    with: { 'truncate-date': 'year' },
    types: DATE,
  },
  {
    kind: 'pay',
    names: /salary|wage|income|compensation|pay_rate|bonus/,
    with: 'redact',
    types: NUMBER,
  },
  {
    kind: 'health',
    names: /diagnos(is|es)|icd_?10|medication|prescription|blood_type|allerg(y|ies)/,
    with: 'redact',
  },
  {
    kind: 'origin or belief',
    names: /ethnicity|religion|race|sexual_orientation|political_\w+/,
    with: 'redact',
  },
  {
    kind: 'network address',
    names: /ip(_?addr(ess)?)?|client_ip|remote_addr/,
    with: 'redact',
    types: /^(inet|text|varchar)$/,
  },
]

const SHAPES: Readonly<Record<Detector, readonly [kind: string, mask: unknown]>> = {
  card: ['a card number', { partial: { 'keep-last': 4 } }],
  email: ['an e-mail address', 'email'],
  phone: ['a phone number', { partial: { 'keep-last': 2 } }],
  iban: ['an IBAN', { partial: { 'keep-last': 4 } }],
  ssn: ['a social security number', 'redact'],
  'api-key': ['a key', 'redact'],
  jwt: ['a token', 'redact'],
}

/** The words of a column's name: `customerEmail2` → `customer_email_2`. */
const wordsOf = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase()

const matchers = new Map(
  GUESSES.map((guess) => [guess, new RegExp(`(^|_)(${guess.names.source})(_|$)`)]),
)

/** `values`: a sample of the column's cells as text; null where it was not read. */
export function suggestMask(
  relation: CatalogRelation,
  column: CatalogColumn,
  values: readonly (string | null)[] | null,
): MaskSuggestion | null {
  const named = byName(relation, column)
  const shaped = values === null ? null : byShape(values)
  const found = named ?? shaped
  if (found === null) return null
  return {
    schema: relation.schema,
    relation: relation.name,
    column: column.name,
    with: found.with,
    why: [named?.why, shaped?.why].filter((why) => why !== undefined),
  }
}

interface Found {
  readonly with: unknown
  readonly why: string
}

/** Tables in which a name is somebody's. */
const PEOPLE =
  /(^|_)(users?|customers?|clients?|people|persons?|patients?|employees?|staff|contacts?|members?|students?|applicants?|guests?)$/

function byName(relation: CatalogRelation, { name, type }: CatalogColumn): Found | null {
  const own = wordsOf(name)
  const words = own === 'name' && PEOPLE.test(wordsOf(relation.name)) ? 'full_name' : own
  const guess = GUESSES.find(
    (one) => matchers.get(one)?.test(words) === true && (one.types ?? TEXT).test(type),
  )
  return guess === undefined ? null : { with: guess.with, why: `its name says ${guess.kind}` }
}

/** The commonest shape in the sample; where it is only a part of the texts, they are searched for it. */
function byShape(values: readonly (string | null)[]): Found | null {
  const texts = values.flatMap((value) => (value === null || value === '' ? [] : [value]))
  const counts = new Map<Detector, { found: number; whole: number }>()
  for (const text of texts) {
    for (const { kind, isWhole } of detectedIn(text)) {
      const count = counts.get(kind) ?? { found: 0, whole: 0 }
      count.found++
      if (isWhole) count.whole++
      counts.set(kind, count)
    }
  }
  const often = [...counts].filter(([, { found }]) => found >= texts.length * SHARE_MIN)
  const [top] = often.sort(([, a], [, b]) => b.found - a.found)
  if (top === undefined) return null
  const [kind, { found, whole }] = top
  const [words, mask] = SHAPES[kind]
  const isMostlyWhole = whole * 2 > found && often.length === 1
  return {
    with: isMostlyWhole ? mask : { detect: often.map(([one]) => one).sort() },
    why: `${found} of ${texts.length} sampled values have ${words}`,
  }
}
