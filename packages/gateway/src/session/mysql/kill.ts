/**
 * KILL and COM_PROCESS_KILL of one's own sessions, by the id the gateway greeted them with or the one the server
 * gave them (`CONNECTION_ID()`, `SHOW PROCESSLIST`). Anybody else's is policy's to decide.
 */
import type { Principal } from '@sallyport/identity'
import type { SessionDeps } from '../admission.ts'
import { isOf } from '../interrupts.ts'

export interface KillRequest {
  readonly connectionId: number
  /** Only what runs there, not the session itself. */
  readonly query: boolean
}

/** Resolves to whether it has been done; null: no session of this principal has that id, and nobody else can be asked. */
export type Killer = (request: KillRequest) => Promise<boolean> | null

export function killerFor(
  { issuer, subject }: Principal,
  { interrupts }: Pick<SessionDeps, 'interrupts'>,
): Killer {
  return (request) => interrupts.send({ kind: 'kill', ...request, owner: { issuer, subject } })
}

/** What the server calls the session of this principal that was greeted with that id; null: none here is. */
export type ServerIds = (connectionId: number) => number | null

/** `connection`: another's server would end somebody else's session by that id. */
export function serverIdsFor(
  principal: Principal,
  connection: string,
  { registry }: Pick<SessionDeps, 'registry'>,
): ServerIds {
  return (id) =>
    registry
      .byConnectionId(id)
      .find((one) => one.connection === connection && isOf(principal, one.principal))
      ?.upstreamPid ?? null
}

/** Statements of one text, with the server's ids in each KILL that is read (see killRequestOf). Null: as they are. */
export function withServerIds(texts: readonly string[], idOf: ServerIds): string[] | null {
  const translated = texts.map((text) => {
    const request = killRequestOf(text)
    const id = request === null ? null : idOf(request.connectionId)
    return id === null ? text : text.replace(/\d+/, String(id))
  })
  return translated.every((text, i) => text === texts[i]) ? null : translated
}

/** `KILL [HARD | SOFT] [CONNECTION | QUERY] id`, as text is forwarded: without comments. Null: another form. */
export function killRequestOf(text: string): KillRequest | null {
  const match =
    /^\s*KILL\s+(?:(?:HARD|SOFT)\s+)?(?:(CONNECTION|QUERY)\s+)?(\d{1,10})\s*;?\s*$/i.exec(text)
  if (match === null) return null
  return { connectionId: Number(match[2]), query: /^query$/i.test(match[1] ?? '') }
}
