/** What the catalog store needs of an engine: a connection that reads its schema, and what its errors mean. */
import type { CatalogData, CatalogRelation, Defined } from '@sallyport/sql'
import type { Secret } from '../secrets/secret.ts'
import type { UpstreamTls } from '../tls/upstream.ts'
import type { CatalogError } from './errors.ts'

export interface CatalogLogin {
  /** Host name, address, or where its Unix socket is. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** Undefined for a client certificate or `trust`. */
  readonly password: Secret | undefined
  readonly tls: UpstreamTls
}

export interface LoadedCatalog {
  readonly data: CatalogData
  /** The change probe in the same snapshot as the data, or before it was read. */
  readonly probe: string
  /** False when relations were left out, because they were dropped or locked meanwhile. */
  readonly complete: boolean
}

export interface CatalogReader {
  load(): Promise<LoadedCatalog>
  /** The change probe as of now: equal to an earlier one of this connection when nothing has changed. */
  probe(): Promise<string>
  /** Definitions of these as of now, as `load` gives them; null for one that is gone or another now. */
  definitions(defined: readonly Defined[]): Promise<readonly (string | null | undefined)[]>
  /** At most `rows` rows of a table, the named columns as text cut to SAMPLE_CHARS_MAX; no order is promised. */
  sample(
    relation: CatalogRelation,
    columns: readonly string[],
    rows: number,
  ): Promise<readonly (readonly (string | null)[])[]>
  /** Called once when the connection has ended, by whoever. */
  onEnd(ended: () => void): void
  end(): Promise<void>
}

export interface CatalogSource {
  /** Throws CatalogError: unreachable, credential-refused. */
  connect(login: CatalogLogin): Promise<CatalogReader>
  /** What went wrong in a reader; the database's own text stays in `cause`. */
  classify(cause: unknown): CatalogError
  /** The schema changed under a load: trying again may help. */
  movedMeanwhile(error: unknown): boolean
}
