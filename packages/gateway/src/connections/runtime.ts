/**
 * One configured connection while the gateway runs: credentials, TLS, schema snapshots, spare upstreams.
 */
import { buildCatalog, type Catalog } from '@sallyport/sql'
import { MYSQL_CATALOG } from '../catalog/mysql-source.ts'
import { POSTGRES_CATALOG } from '../catalog/postgres-source.ts'
import type { CatalogLogin } from '../catalog/source.ts'
import { type CatalogEvent, CatalogStore } from '../catalog/store.ts'
import type { ConnectionConfig, Credential } from '../config/model.ts'
import type { Secret } from '../secrets/secret.ts'
import type { Secrets } from '../secrets/store.ts'
import { UpstreamTls } from '../tls/upstream.ts'
import {
  type MysqlTarget,
  openMysqlUpstream,
  PLAIN_CLIENT,
  quitMysqlUpstream,
} from '../upstream/mysql.ts'
import { SpareUpstreams } from '../upstream/spare.ts'
import { MysqlServer, type MysqlServerFace } from './mysql-server.ts'

const CATALOG_SOURCES = { postgres: POSTGRES_CATALOG, mysql: MYSQL_CATALOG }
/** Databases of one server whose schemas are kept. */
const CATALOGS_MAX = 64

export interface ConnectionDeps {
  readonly secrets: Secrets
  readonly onCatalogEvent: (connection: string, database: string, event: CatalogEvent) => void
}

export class ConnectionRuntime {
  readonly config: ConnectionConfig
  readonly tls: UpstreamTls
  readonly spares: SpareUpstreams | null
  /** Null for another protocol. */
  readonly mysqlServer: MysqlServer | null
  readonly #deps: ConnectionDeps
  readonly #catalogs = new Map<string, CatalogStore>()

  constructor(config: ConnectionConfig, deps: ConnectionDeps) {
    this.config = config
    this.#deps = deps
    const { mode, ca, certificate, key, serverName } = config.tls
    this.tls = new UpstreamTls({
      mode: config.socket === null ? mode : 'disable',
      ...(ca !== null && { caFile: ca }),
      ...(certificate !== null && { certFile: certificate }),
      ...(key !== null && { keyFile: key }),
      ...(serverName !== null && { servername: serverName }),
    })
    this.spares = config.reuse === null ? null : new SpareUpstreams(config.reuse)
    this.mysqlServer =
      config.protocol === 'mysql'
        ? new MysqlServer(
            () => this.#askMysqlServer(),
            () => performance.now(),
          )
        : null
  }

  /** The database behind `name` or `name/database`; null when that one is not allowed. */
  database(requested: string | null): string | null {
    const { database, databases } = this.config
    if (requested === null || requested === database) return database
    return databases === 'any' || databases.includes(requested) ? requested : null
  }

  credential(role: string | null): Credential {
    const own = role === null ? undefined : this.config.roleCredentials.get(role)
    return own ?? this.config.credential
  }

  get target(): MysqlTarget {
    const { host, port, socket, tls } = this.config
    return { host, port, socket, tls: this.tls, publicKeyFile: tls.publicKey }
  }

  password(credential: Credential): Promise<Secret | null> {
    return credential.password === null
      ? Promise.resolve(null)
      : this.#deps.secrets.get(credential.password)
  }

  /** The server refused this credential: read its secret again. False: just done. */
  refused(credential: Credential): boolean {
    return credential.password !== null && this.#deps.secrets.invalidate(credential.password)
  }

  /** The schema of a database; of a MySQL server, of all its databases. */
  catalog(of: string): CatalogStore {
    const database = this.config.protocol === 'mysql' ? '' : of
    const known = this.#catalogs.get(database)
    if (known !== undefined) return known
    const credential = this.config.catalogCredential ?? this.config.credential
    const store = new CatalogStore({
      source: CATALOG_SOURCES[this.config.protocol],
      login: () => this.#catalogLogin(database, credential),
      onCredentialRefused: () => this.refused(credential),
      build: (data, version): Catalog => buildCatalog(data, version),
      now: () => performance.now(),
      random: () => Math.random(),
      onEvent: (event) => this.#deps.onCatalogEvent(this.config.name, database, event),
      intervalMs: this.config.catalogRefreshSeconds * 1000,
    })
    if (this.#catalogs.size >= CATALOGS_MAX) {
      const oldest = this.#catalogs.entries().next()
      if (!oldest.done) {
        this.#catalogs.delete(oldest.value[0])
        void oldest.value[1].close()
      }
    }
    this.#catalogs.set(database, store)
    return store
  }

  async close(): Promise<void> {
    this.spares?.close()
    await Promise.all([...this.#catalogs.values()].map((store) => store.close()))
  }

  async #askMysqlServer(): Promise<MysqlServerFace> {
    const { credential } = this.config
    const password = await this.password(credential)
    const { target } = this
    const opened = await openMysqlUpstream({
      target,
      user: credential.user,
      password,
      database: null,
      client: PLAIN_CLIENT,
    })
    quitMysqlUpstream(opened)
    return opened.session
  }

  async #catalogLogin(database: string, credential: Credential): Promise<CatalogLogin> {
    const { host, port, socket } = this.config
    return {
      host: socket ?? host,
      port,
      database,
      user: credential.user,
      password: (await this.password(credential)) ?? undefined,
      tls: this.tls,
    }
  }
}
