/** Promise: nobody gets in without a good token, and whoever is kept out is told why. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type pg from 'pg'
import { CONNECTION, STRANGER } from '../people.ts'
import { formatError } from '../table.ts'
import type { Tour } from './context.ts'
import { auditEvents } from './log.ts'
import { type AnswerError, answerError, Person } from './person.ts'

interface Attempt {
  readonly title: string
  readonly token: string
  readonly user: string
  readonly sqlstate: string
  readonly says: RegExp
  /** What the audit log calls it. */
  readonly code: string
}

export async function tokenChapter(tour: Tour): Promise<void> {
  const { narrator, demo } = tour
  narrator.chapter('1. The token is the password')
  const good = await tour.token('analyst')
  const config = await tour.overTls('analyst', good)
  narrator.command('connect', 'user=analyst sslmode=verify-full password=<a fresh token>')
  narrator.promise(
    'a fresh token of the issuer is let in, over TLS that verifies',
    (await loginError(tour, config)) === null,
  )
  const messages = new Set<string>()
  for (const attempt of await attempts(tour, good)) {
    narrator.command('connect', `user=${attempt.user} password=<${attempt.title}>`)
    const error = await loginError(tour, await tour.overTls(attempt.user, attempt.token))
    if (error !== null) narrator.output(formatError({ ...error, severity: 'FATAL' }))
    messages.add(error?.message ?? '')
    const held = error?.code === attempt.sqlstate && attempt.says.test(error.message)
    narrator.promise(`${attempt.title}: refused with ${attempt.sqlstate}`, held, error)
    const recorded = (await auditEvents(demo)).some(
      (event) => event.type === 'authentication' && event.code === attempt.code,
    )
    narrator.promise(`… and recorded as \`${attempt.code}\``, recorded)
  }
  narrator.promise('each refusal has words of its own', messages.size >= 8, [...messages])
  await plainTextRefused(tour)
}

async function attempts(tour: Tour, good: string): Promise<Attempt[]> {
  const { demo } = tour
  const { issuer } = demo
  const [header, , signature] = good.split('.')
  const forged = Buffer.from(
    JSON.stringify({ ...payloadOf(good), groups: ['analysts', 'dba'] }),
  ).toString('base64url')
  const narrowed = await narrowedToken(tour, good)
  const made = [
    ['no token at all', '', 'analyst', '28P01', /empty password/, 'bad-authentication'],
    ['a word that is no token', 'swordfish', 'analyst', '28P01', /token/, 'malformed'],
    [
      'a token whose groups were edited',
      `${header}.${forged}.${signature}`,
      'analyst',
      '28P01',
      /signature/,
      'signature',
    ],
    [
      'a token that has expired',
      await issuer.token('ada', { expiresInSeconds: -120 }),
      'analyst',
      '28P01',
      /expired/,
      'expired',
    ],
    [
      'a token for another service',
      await issuer.token('ada', { audience: 'payroll' }),
      'analyst',
      '28P01',
      /audience|for another/,
      'wrong-audience',
    ],
    ['a role the token may not take', good, 'dba', '28P01', /role/, 'role-not-allowed'],
    [
      'a good token that no rule lets in here',
      await issuer.token(STRANGER.sub),
      'eve',
      '3D000',
      /no access/,
      'no-such-connection',
    ],
    [
      'a token narrowed to another database',
      narrowed,
      'analyst',
      '3D000',
      /limited to other/,
      'connection-not-allowed',
    ],
  ] as const
  return made.map(([title, token, user, sqlstate, says, code]) => {
    if (token !== '') tour.tokens.add(token)
    return { title, token, user, sqlstate, says, code }
  })
}

/** Exchanged at the admin address (RFC 8693) for one that is only good elsewhere. */
async function narrowedToken({ demo, narrator }: Tour, token: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${demo.ports.admin}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      scope: 'connection:billing',
    }),
    signal: AbortSignal.timeout(5_000),
  })
  const body = (await response.json()) as { access_token?: string }
  narrator.promise('a token can be exchanged for a narrower, shorter one', response.ok, body)
  return body.access_token ?? ''
}

function payloadOf(token: string): Record<string, unknown> {
  // The issuer's own token, only read to be forged.
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >
}

/** Null: let in. */
async function loginError(tour: Tour, config: pg.ClientConfig): Promise<AnswerError | null> {
  const { narrator, sent } = tour
  const person = new Person({ role: String(config.user), config, narrator, sent })
  try {
    await person.connect()
    return null
  } catch (error) {
    return answerError(error)
  } finally {
    await person.close()
  }
}

/** A query sent before TLS must not be answered with data: the listener takes TLS or a login. */
async function plainTextRefused({ demo, narrator }: Tour): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port: demo.ports.gateway })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const statement = `Q\0\0\0\x0dSELECT 1\0`
  socket.write(statement, 'latin1')
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  const late = setTimeout(() => socket.destroy(), 2_000)
  await once(socket, 'close')
  clearTimeout(late)
  const text = Buffer.concat(received).toString('latin1')
  narrator.promise(
    `a statement without a login is refused (nothing of database \`${CONNECTION}\` answers)`,
    !text.includes('T\0') && !text.includes('SELECT'),
    text,
  )
}
