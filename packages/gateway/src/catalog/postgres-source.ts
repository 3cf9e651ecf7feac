/** The catalog of a PostgreSQL database, for the catalog store. */
import { classify, connectCatalog } from './connection.ts'
import { currentDefinitions, loadCatalogData, probeCatalog, samplePostgres } from './postgres.ts'
import type { CatalogSource } from './source.ts'

export const POSTGRES_CATALOG: CatalogSource = {
  async connect(login) {
    const client = await connectCatalog(login)
    return {
      load: () => loadCatalogData(client),
      probe: () => probeCatalog(client),
      sample: (relation, columns, rows) => samplePostgres(client, relation, { columns, rows }),
      definitions: (views) => currentDefinitions(client, views),
      onEnd(ended) {
        client.once('end', ended)
        client.once('error', ended)
      },
      end: () => client.end(),
    }
  },
  classify,
  /** `cache lookup failed` (XX000), undefined table, column, function, object. */
  movedMeanwhile(error) {
    const code = (error as { code?: unknown }).code
    return ['XX000', '42P01', '42703', '42883', '42704'].includes(String(code))
  },
}
