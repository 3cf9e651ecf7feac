/**
 * A customer whose every protected value is random, so that finding a piece of one anywhere means that it
 * came from there. Written into the database past the gateway.
 */
import { randomInt } from 'node:crypto'
import type { PostgresServer } from '../../support/servers.ts'

/** A piece this long is no coincidence. */
const PIECE_CHARS = 8

interface Secret {
  readonly label: string
  /** The part that no mask of the starters shows. */
  readonly hidden: string
}

export interface Canaries {
  readonly customer: number
  readonly ticket: number
  readonly name: string
  readonly email: string
  readonly phone: string
  readonly ssn: string
  readonly card: string
  /** Which secrets these bytes hold a piece of, in clear, reversed or as hex digits. */
  leaksIn(bytes: Uint8Array | string): string[]
}

/** One customer, with an order, a payment, a key and a ticket. */
interface Values {
  readonly name: string
  readonly email: string
  readonly phone: string
  readonly ssn: string
  readonly card: string
  readonly secret: string
  readonly profile: {
    readonly phone: string
    readonly email: string
    readonly address: { readonly street: string; readonly city: string; readonly zip: string }
    readonly preferences: object
  }
}

const CUSTOMER = 9001
const TICKET = 9001

export async function plantCanaries(server: PostgresServer, database: string): Promise<Canaries> {
  const values = drawValues()
  await insert(server, database, values)
  const { name, email, phone, ssn, card } = values
  const pieces = secretsOf(values).flatMap(({ label, hidden }) =>
    piecesOf(hidden).map((piece) => ({ label, piece })),
  )
  const leaksIn = (bytes: Uint8Array | string): string[] => {
    const text = typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('latin1')
    const lower = text.toLowerCase()
    return [...new Set(pieces.filter(({ piece }) => lower.includes(piece)).map((one) => one.label))]
  }
  return { customer: CUSTOMER, ticket: TICKET, name, email, phone, ssn, card, leaksIn }
}

function drawValues(): Values {
  const email = `${letters(12)}@${letters(12)}.example`
  return {
    name: `${letters(10)} ${letters(12)}`,
    email,
    // First digits as the detectors of free text know them.
    phone: `+1-2${digits(2)}-5${digits(2)}-${digits(4)}`,
    ssn: `1${digits(2)}-2${digits(1)}-1${digits(3)}`,
    card: withLuhn(`4${digits(14)}`),
    secret: `crm_sk_${letters(32)}`,
    profile: {
      phone: `+49 ${digits(10)}`,
      email,
      address: { street: letters(12), city: letters(12), zip: digits(10) },
      preferences: {},
    },
  }
}

function secretsOf({ name, email, phone, ssn, card, secret, profile }: Values): Secret[] {
  return [
    { label: 'name', hidden: name.slice(1, -2) },
    { label: 'email', hidden: email.replace('.example', '') },
    { label: 'phone', hidden: phone.slice(0, -2) },
    { label: 'ssn', hidden: ssn },
    { label: 'card number', hidden: card.slice(0, -4) },
    { label: 'profile street', hidden: profile.address.street },
    { label: 'profile city', hidden: profile.address.city },
    { label: 'profile zip', hidden: profile.address.zip },
    { label: 'profile phone', hidden: profile.phone },
    { label: 'api key', hidden: secret.slice(7) },
  ]
}

async function insert(server: PostgresServer, database: string, values: Values): Promise<void> {
  const { name, email, phone, ssn, card, secret, profile } = values
  const body = `Write to ${email} or call ${phone}. Card ${card}, social security ${ssn}.`
  await server.sql(
    database,
    `WITH c AS (
       INSERT INTO public.customers (id, name, email, phone, ssn, birth_date, profile)
       VALUES (${CUSTOMER}, $1, $2, $3, $4, '1987-08-23', $5) RETURNING id
     ), o AS (
       INSERT INTO public.orders (id, customer_id, status) SELECT 9001, id, 'paid' FROM c RETURNING id
     ), p AS (
       INSERT INTO public.payments (order_id, customer_id, card_number, amount)
       SELECT o.id, ${CUSTOMER}, $6, 12.5 FROM o
     ), k AS (
       INSERT INTO public.api_keys (id, customer_id, label, secret, key_hash, scopes)
       SELECT gen_random_uuid(), id, 'canary', $8, sha256($8::text::bytea), '{}' FROM c
     )
     INSERT INTO public.support_tickets (id, customer_id, assignee_id, subject, body)
     SELECT ${TICKET}, id, 1, 'canary', $7 FROM c`,
    [name, email, phone, ssn, JSON.stringify(profile), card, body, secret],
  )
  await server.sql(database, 'REFRESH MATERIALIZED VIEW public.customer_revenue')
  // So that statistics hold them too.
  await server.sql(database, 'ANALYZE public.customers')
}

/** Every run of PIECE_CHARS, also backwards and as hex digits. */
function piecesOf(text: string): string[] {
  const pieces: string[] = []
  for (const one of [text, text.replace(/\D/g, '')]) {
    for (let i = 0; i + PIECE_CHARS <= one.length; i++) {
      const piece = one.slice(i, i + PIECE_CHARS).toLowerCase()
      pieces.push(piece, [...piece].reverse().join(''), Buffer.from(piece).toString('hex'))
    }
  }
  return pieces
}

function letters(count: number): string {
  return Array.from({ length: count }, () => String.fromCharCode(97 + randomInt(26))).join('')
}

function digits(count: number): string {
  return Array.from({ length: count }, () => String(randomInt(10))).join('')
}

/** Fifteen digits and their check digit (ISO/IEC 7812-1), as card detectors expect. */
function withLuhn(body: string): string {
  const sum = [...body].reduce((total, digit, i) => {
    const twice = Number(digit) * (i % 2 === 0 ? 2 : 1)
    return total + (twice > 9 ? twice - 9 : twice)
  }, 0)
  return body + String((10 - (sum % 10)) % 10)
}
