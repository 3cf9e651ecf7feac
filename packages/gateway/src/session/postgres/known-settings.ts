/**
 * Settings of a session that change what its statements mean, as far as is known, and through transactions: what a block
 * set is undone with it, what it set LOCAL ends with it. A value that is not known is equal to no other.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { StateChange } from '@sallyport/sql'

/** Settings that change how long, how or for whom something runs, and not what it means. */
const NO_MEANING =
  /^(application_name|client_min_messages|extra_float_digits|statement_timeout|lock_timeout|transaction_timeout|idle_.*|enable_.*|jit.*|work_mem|maintenance_work_mem|synchronous_commit|.*_cost|geqo.*|log_.*|tcp_.*)$/
/** Settings whose values are kept; more make the state unknown, which no other state is equal to. */
const SETTINGS_MAX = 256

/** Null: as it was when the session began. */
type Value = string | null

interface InBlock {
  /** Undefined: not set but LOCAL. */
  readonly kept: Value | undefined
  readonly local: Value | undefined
}

export class KnownSettings {
  readonly #start: ReadonlyMap<string, string>
  readonly #session = new Map<string, string>()
  /** Of the open transaction. */
  readonly #block = new Map<string, InBlock>()
  /** Of the statements that run, in the order they came: the server has not said what became of them. */
  #underWay = ''
  /** Those whose values the server says, at any time. */
  readonly #told = new Set<string>()
  /** `state`, until something changes. */
  #state: string | null = null

  /** `start`: settings of the start-up packet. */
  constructor(start: ReadonlyMap<string, string>) {
    this.#start = new Map([...start].map(([name, value]) => [name.toLowerCase(), value]))
    for (const [name, value] of this.#start) this.#put(name, value)
  }

  /** The server says what a setting is. */
  reported(name: string, value: string): void {
    const key = name.toLowerCase()
    this.#state = null
    this.#told.add(key)
    this.#put(key, value)
  }

  /** A statement with these changes is about to run. */
  begins(changes: readonly StateChange[]): void {
    for (const change of changes) {
      if (change.kind === 'set' || change.kind === 'uncertain') {
        const both = [this.#underWay, JSON.stringify(change)].join('\0')
        this.#state = null
        this.#underWay = createHash('sha256').update(both).digest('hex')
      }
    }
  }

  /** A statement completed that made this change. */
  apply(change: StateChange): void {
    this.#state = null
    switch (change.kind) {
      case 'uncertain':
        if (change.resets === true) this.#reset()
        // What it is now is not known, and equal to nothing.
        else this.#session.set('?', unknown())
        return
      case 'set':
        this.#set(change)
        return
      case 'rollback-to':
        for (const name of this.#block.keys()) {
          this.#block.set(name, { kept: unknown(), local: undefined })
        }
        return
    }
  }

  /** `undone`: it did not commit. */
  transactionEnded(undone: boolean): void {
    if (this.#block.size === 0) return
    this.#state = null
    if (!undone) {
      for (const [name, { kept }] of this.#block) {
        if (kept !== undefined) this.#put(name, kept)
      }
    }
    this.#block.clear()
  }

  /** Every statement is answered. */
  settled(): void {
    if (this.#underWay === '') return
    this.#state = null
    this.#underWay = ''
  }

  /** Equal for sessions that agree in them. */
  get state(): string {
    this.#state ??= this.#stateNow()
    return this.#state
  }

  #stateNow(): string {
    const now = new Map<string, string>(this.#session)
    for (const [name, { kept, local }] of this.#block) {
      const value = local !== undefined ? local : kept
      const known = value === null ? this.#start.get(name) : value
      if (known === undefined) now.delete(name)
      else now.set(name, known)
    }
    return JSON.stringify([[...now].sort(), this.#underWay])
  }

  #set({ name, local, values, computed }: StateChange & { readonly kind: 'set' }): void {
    const key = name.toLowerCase()
    if (NO_MEANING.test(key) || this.#told.has(key)) return
    const value = computed === true ? unknown() : values === null ? null : JSON.stringify(values)
    if (this.#block.size >= SETTINGS_MAX && !this.#block.has(key)) {
      this.#session.set('…', unknown())
      return
    }
    const kept = local ? this.#block.get(key)?.kept : value
    this.#block.set(key, { kept, local: local ? value : undefined })
  }

  /** Whatever was set, known or not, is as it was when the session began. */
  #reset(): void {
    for (const name of [...this.#session.keys(), ...this.#block.keys()]) {
      if (!this.#told.has(name)) this.#block.set(name, { kept: null, local: undefined })
    }
  }

  #put(name: string, value: Value): void {
    if (NO_MEANING.test(name)) return
    const known = value ?? this.#start.get(name)
    if (known === undefined) this.#session.delete(name)
    else if (this.#session.size < SETTINGS_MAX || this.#session.has(name)) {
      this.#session.set(name, known)
    } else this.#session.set('…', unknown())
  }
}

const unknown = (): string => `?${randomUUID()}`
