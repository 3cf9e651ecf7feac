/**
 * The KILLs of one session, however they are said: as a text, as COM_PROCESS_KILL, executed with the id as a value,
 * or among other statements. Of one's own sessions the gateway sees to it itself; anything else is policy's to decide.
 */
import {
  type Answer,
  encodeOk,
  HEADER,
  type NotYet,
  type Parameters,
  plainOk,
  WAIT,
} from '@sallyport/protocol-mysql'
import type { Catalog } from '@sallyport/sql'
import type { Decided } from '../decisions.ts'
import { type Admitted, factsOf } from './admitted.ts'
import { type Killer, killRequestOf, type ServerIds, withServerIds } from './kill.ts'
import type { MysqlSessionNames } from './names.ts'
import { parameterTexts, readParameters } from './parameters.ts'
import type { MysqlTexts } from './texts.ts'

export interface KillingOptions {
  readonly kill: Killer
  readonly serverIds: ServerIds
  readonly texts: MysqlTexts
  readonly names: MysqlSessionNames
  /** STATUS bits for an OK of ours. */
  readonly status: () => number
  /** The relay is resumed when it is done. */
  readonly seeTo: (done: Promise<void>) => void
}

const OK_LAYOUT = { sessionTrack: false, header: HEADER.OK }

export class Killing {
  readonly #options: KillingOptions
  /** Asked once, answered when it is known. */
  #under: { readonly text: string; done: boolean | null } | null = null

  constructor(options: KillingOptions) {
    this.#options = options
  }

  /** Null: not a KILL of a session of the same principal. */
  text(text: string): Answer | NotYet | null {
    const request = killRequestOf(text)
    if (request === null) return null
    const under = this.#under
    if (under?.text === text) {
      if (under.done === null) return WAIT
      this.#under = null
      if (!under.done) return null
      const ok = encodeOk(plainOk(this.#options.status()), OK_LAYOUT)
      return { kind: 'answer', ok }
    }
    const asked = this.#options.kill(request)
    if (asked === null) return null
    const killing: { text: string; done: boolean | null } = { text, done: null }
    this.#under = killing
    this.#options.seeTo(
      asked.then((done) => {
        killing.done = done
      }),
    )
    return WAIT
  }

  /** `KILL ?`, executed. */
  execution({ decided, own }: Admitted, parameters: Parameters): Answer | NotYet | null {
    if (!kills(decided)) return null
    const { texts, names } = this.#options
    const values = parameterTexts(readParameters(parameters)).map((value) => value ?? 'NULL')
    return this.text(texts.withParameters(own, values, names) ?? own)
  }

  /**
   * What is forwarded of a text with a KILL among others, which run in their turn: the ids of greetings mean nothing
   * to the server. Null: as it is.
   */
  forwarded(decided: Decided, text: string | null, catalog: Catalog | null): string | null {
    if (text === null || !kills(decided)) return null
    const { texts, names, serverIds } = this.#options
    const read = texts.analyze(text, catalog, names)
    const each = read.kind === 'statements' ? (read.texts ?? []) : []
    return withServerIds(each, serverIds)?.join('; ') ?? null
  }
}

const kills = (decided: Decided | null): boolean =>
  factsOf(decided)?.some(({ command }) => command === 'kill') === true
