/**
 * The PostgreSQL database that several gateways share: one pool, one listening connection, and whoever wants
 * to know what others have written. A notification is the quick way; asking again and again is the sure one,
 * and what was written while the store could not be reached is seen when it can be again.
 */
import pg from 'pg'

/** How often it is asked what is new, ms: how late a change is seen when no notification comes. */
const POLL_MS = 400
/**
 * Rows this much older than the last reading are read again: an INSERT can become visible after a later one,
 * ms. More than QUERY_MS_MAX, which every INSERT ends within.
 */
const OVERLAP_MS = 10_000
const CONNECT_MS_MAX = 5_000
const QUERY_MS_MAX = 5_000
/** Two gateways that start together must not both create the tables. */
const SCHEMA_LOCK = 7_264_310_221

export interface SharedStoreOptions {
  readonly connection: pg.ClientConfig
  /** The store does not answer; it is asked again. */
  readonly onError: (error: unknown) => void
  /** Null: only notifications. Default POLL_MS. */
  readonly pollMs?: number | null
}

interface Watcher {
  readonly channel: string
  readonly look: () => void
}

export class SharedStore {
  readonly #options: SharedStoreOptions
  readonly #pool: pg.Pool
  readonly #watchers = new Set<Watcher>()
  #listening: pg.Client | null = null
  /** While a listening connection is made. */
  #connecting: Promise<void> | null = null
  #timer: NodeJS.Timeout | null = null
  #closed = false

  constructor(options: SharedStoreOptions) {
    this.#options = options
    this.#pool = new pg.Pool({
      ...options.connection,
      max: 4,
      connectionTimeoutMillis: CONNECT_MS_MAX,
      query_timeout: QUERY_MS_MAX,
      application_name: 'sallyport',
    })
    this.#pool.on('error', options.onError)
  }

  async query<R extends pg.QueryResultRow>(
    text: string,
    values: unknown[] = [],
  ): Promise<pg.QueryResult<R>> {
    return this.#pool.query<R>(text, values)
  }

  /** Statements that create what is not there; safe to repeat. */
  async create(schema: string): Promise<void> {
    const client = await this.#pool.connect()
    try {
      await client.query('SELECT pg_advisory_lock($1)', [SCHEMA_LOCK])
      try {
        await client.query(schema)
      } finally {
        await client.query('SELECT pg_advisory_unlock($1)', [SCHEMA_LOCK])
      }
    } finally {
      client.release()
    }
  }

  /**
   * Calls `read` with the time after which rows may be new to it, whenever something may be; never twice at a
   * time. It answers with the store's time of reading. `channel`: an SQL name that writers notify.
   */
  watch(channel: string, since: Date, read: (since: Date) => Promise<Date>): Watch {
    let before = since
    let running: Promise<void> | null = null
    let again = false
    const run = async (): Promise<void> => {
      do {
        again = false
        const asked = await read(before)
        before = new Date(asked.getTime() - OVERLAP_MS)
      } while (again && !this.#closed)
    }
    const look = (): Promise<void> => {
      if (this.#closed) return Promise.resolve()
      // What comes meanwhile may have missed this reading: it is read once more.
      again = true
      running ??= run().finally(() => {
        running = null
      })
      return running
    }
    const watcher = { channel, look: () => void look().catch(this.#options.onError) }
    this.#watchers.add(watcher)
    this.#follow(watcher)
    return {
      look,
      end: async () => {
        this.#watchers.delete(watcher)
        await running?.catch(() => undefined)
      },
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#watchers.clear()
    await this.#connecting?.catch(() => undefined)
    await this.#listening?.end().catch(() => undefined)
    if (!this.#pool.ended) await this.#pool.end()
  }

  #follow({ channel, look }: Watcher): void {
    const { onError, pollMs = POLL_MS } = this.#options
    if (this.#timer === null && pollMs !== null) {
      this.#timer = setInterval(() => this.#poll(), pollMs)
      this.#timer.unref()
    }
    const listening = this.#listening
    if (listening === null) void this.#listen().catch(onError)
    else void listening.query(`LISTEN ${channel}`).then(look, onError)
  }

  #poll(): void {
    void this.#listen().catch(this.#options.onError)
    for (const { look } of this.#watchers) look()
  }

  #listen(): Promise<void> {
    if (this.#closed || this.#listening !== null) return Promise.resolve()
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null
    })
    return this.#connecting
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      ...this.#options.connection,
      connectionTimeoutMillis: CONNECT_MS_MAX,
      query_timeout: QUERY_MS_MAX,
      keepAlive: true,
      application_name: 'sallyport listening',
    })
    const lost = (): void => {
      if (this.#listening === client) this.#listening = null
    }
    client.on('error', lost)
    client.on('end', lost)
    client.on('notification', ({ channel }) => {
      for (const watcher of this.#watchers) if (watcher.channel === channel) watcher.look()
    })
    try {
      await client.connect()
      const heard = new Set<string>()
      for (const { channel } of this.#watchers) {
        heard.add(channel)
        await client.query(`LISTEN ${channel}`)
      }
      this.#listening = client
      // What was written before it listened, and who came while it began to.
      for (const { channel, look } of [...this.#watchers]) {
        if (!heard.has(channel)) await client.query(`LISTEN ${channel}`)
        look()
      }
    } catch (error) {
      lost()
      void client.end().catch(() => undefined)
      throw error
    }
  }
}

export interface Watch {
  /** Reads now; resolves once it has. */
  readonly look: () => Promise<void>
  readonly end: () => Promise<void>
}
