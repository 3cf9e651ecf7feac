/**
 * What an administrator of the gateway's machine asks of the running gateway about its own log: over a Unix socket
 * in the log's directory, which only the gateway's account can enter. One JSON line asked, one answered. Types and the
 * socket's place only.
 */
import { join } from 'node:path'
import type { LegalHold } from '../event.ts'

/** What a legal hold names; see LegalHold. */
export type HoldTarget = Pick<LegalHold, 'session' | 'subject' | 'time'>

export type DeskRequest =
  /** Somebody reads the trail's files. `actor`: the account, as the command says. */
  | {
      readonly do: 'note-read'
      readonly actor: string
      readonly action: string
      readonly query: string
    }
  | {
      readonly do: 'hold'
      readonly on: HoldTarget
      readonly state: 'placed' | 'lifted'
      readonly by: string
      readonly reason: string
    }
  | {
      readonly do: 'erase'
      readonly session: string
      readonly what: 'recording' | 'key'
      readonly by: string
      readonly reason: string
    }
  | { readonly do: 'rotate-key' }
  /** One run of rewrapRecordings, with the keys the gateway has; the answer is JSON of Rewrapped. */
  | { readonly do: 'rewrap'; readonly by: string }
  /** Removes what is past its time now, or says what would be. */
  | { readonly do: 'prune'; readonly by: string; readonly dryRun: boolean }

export type DeskAnswer =
  | { readonly ok: true; readonly said: string }
  /** `code`: an AuditErrorCode, or `bad-request`. */
  | { readonly ok: false; readonly code: string; readonly message: string }

/** One request or answer, characters. */
export const DESK_CHARS_MAX = 65_536

/** Longest path of a Unix socket that every system takes, bytes (sun_path, without its NUL). */
const SOCKET_PATH_BYTES_MAX = 103

/** Null: the system takes no socket of so long a name. */
export function deskPath(auditDirectory: string): string | null {
  if (process.platform === 'win32') return null
  const path = join(auditDirectory, 'desk.sock')
  return Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX ? null : path
}
