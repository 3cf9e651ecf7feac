/**
 * What a MySQL server says of itself, as far as is known: clients are greeted as it would greet them, before
 * it is known what they want. Learned from every login; asked for when there has been none.
 */
import type { UpstreamSession } from '@sallyport/protocol-mysql'

export type MysqlServerFace = Pick<UpstreamSession, 'serverVersion' | 'offered' | 'collation'>

/** A server that could not be asked is not asked again for so long, ms. */
const RETRY_MS = 1_000

export class MysqlServer {
  readonly #ask: () => Promise<MysqlServerFace>
  readonly #now: () => number
  #face: MysqlServerFace | null = null
  #asking: Promise<MysqlServerFace> | null = null
  #failed: { readonly error: unknown; readonly at: number } | null = null

  /** `ask`: logs in and out again. `now`: milliseconds, monotonic. */
  constructor(ask: () => Promise<MysqlServerFace>, now: () => number) {
    this.#ask = ask
    this.#now = now
  }

  /** Null: it has never answered. */
  get known(): MysqlServerFace | null {
    return this.#face
  }

  learn({ serverVersion, offered, collation }: MysqlServerFace): void {
    const face = this.#face
    const same =
      face?.serverVersion === serverVersion &&
      face.offered.flags === offered.flags &&
      face.offered.mariadb === offered.mariadb
    if (!same) this.#face = { serverVersion, offered, collation }
  }

  /** What is known, or what the server says now. Throws what logging in throws. */
  async face(): Promise<MysqlServerFace> {
    if (this.#face !== null) return this.#face
    const failed = this.#failed
    if (failed !== null && this.#now() - failed.at < RETRY_MS) throw failed.error
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null
    })
    try {
      const face = await this.#asking
      this.learn(face)
      return face
    } catch (error) {
      this.#failed = { error, at: this.#now() }
      throw error
    }
  }
}
