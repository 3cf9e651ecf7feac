/**
 * The cache in front of the secret sources. A file's secret is current while its mark is; a command's
 * for EXEC_TTL_MS. A database that refuses a credential calls `invalidate`: the next `get` reads the
 * source again, so a rotated password needs no restart. A failed read is never answered with an old
 * value.
 */
import { SecretError } from './errors.ts'
import { EXEC_TTL_MS, INVALIDATE_INTERVAL_MS, REFERENCES_MAX } from './limits.ts'
import { parseSecretReference } from './reference.ts'
import type { Secret } from './secret.ts'
import { type SecretSource, type SecretWarning, secretSourceFor } from './sources.ts'

export interface SecretsOptions {
  /** Milliseconds; monotonic or wall clock. */
  readonly now: () => number
  /** Called once per warning and reference. */
  readonly warn?: (warning: SecretWarning) => void
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface Secrets {
  /** The current secret behind a reference such as `file:/run/secrets/crm`. Throws SecretError. */
  get(reference: string, signal?: AbortSignal): Promise<Secret>
  /**
   * Drops what is remembered, because a database refused it. False, and nothing dropped, when that
   * happened less than INVALIDATE_INTERVAL_MS ago: a wrong password must not start a storm of commands.
   */
  invalidate(reference: string): boolean
}

interface Entry {
  readonly source: SecretSource
  invalidatedAt: number
  state:
    | { readonly kind: 'empty' }
    | { readonly kind: 'reading'; readonly result: Promise<Secret> }
    | {
        readonly kind: 'held'
        readonly secret: Secret
        readonly mark: string | undefined
        readonly readAt: number
      }
}

export function createSecrets(options: SecretsOptions): Secrets {
  const entries = new Map<string, Entry>()
  const warned = new Set<string>()
  const warn = (warning: SecretWarning): void => {
    const key = `${warning.code} ${warning.reference}`
    if (warned.has(key) || warned.size >= REFERENCES_MAX) return
    warned.add(key)
    options.warn?.(warning)
  }
  const sourceOptions = { env: options.env ?? process.env, warn }

  const entryFor = (reference: string): Entry => {
    const known = entries.get(reference)
    if (known !== undefined) return known
    const source = secretSourceFor(parseSecretReference(reference), sourceOptions)
    const entry: Entry = { source, invalidatedAt: -Infinity, state: { kind: 'empty' } }
    const oldest = entries.keys().next()
    if (entries.size >= REFERENCES_MAX && !oldest.done) entries.delete(oldest.value)
    entries.set(reference, entry)
    return entry
  }

  return {
    async get(reference, signal = new AbortController().signal) {
      const entry = entryFor(reference)
      const held = await current(entry, options.now)
      return held ?? abortable(readOnce(entry, options.now), signal)
    },
    invalidate(reference) {
      const entry = entryFor(reference)
      const now = options.now()
      if (now - entry.invalidatedAt < INVALIDATE_INTERVAL_MS) return false
      entry.invalidatedAt = now
      entry.state = { kind: 'empty' }
      return true
    },
  }
}

async function current(entry: Entry, now: () => number): Promise<Secret | undefined> {
  const { state } = entry
  if (state.kind !== 'held') return undefined
  if (state.mark === undefined) {
    return now() - state.readAt < EXEC_TTL_MS ? state.secret : undefined
  }
  const mark = await entry.source.mark()
  // While we waited the entry may have been invalidated or read again: then this answer is void.
  if (entry.state !== state) return undefined
  if (mark === state.mark) return state.secret
  entry.state = { kind: 'empty' }
  return undefined
}

/** Readers at the same time share one read; it has its own deadline, so no reader can end it. */
function readOnce(entry: Entry, now: () => number): Promise<Secret> {
  if (entry.state.kind === 'reading') return entry.state.result
  const result = read()
  entry.state = { kind: 'reading', result }
  return result

  async function read(): Promise<Secret> {
    await Promise.resolve() // the caller sets entry.state first
    const mine = entry.state
    try {
      // The mark comes first: a change during the read makes it differ next time, never the reverse.
      const mark = await entry.source.mark()
      const secret = await entry.source.read(new AbortController().signal)
      if (entry.state === mine) entry.state = { kind: 'held', secret, mark, readAt: now() }
      return secret
    } catch (error) {
      if (entry.state === mine) entry.state = { kind: 'empty' }
      throw error
    }
  }
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new SecretError('aborted', 'reading the secret was aborted'))
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
