/** One client reads a whole table of ten text columns; the gateway masks some of them in all tables but one. */
import { WireClient } from '../client/wire.ts'
import { BULK_ROW_BYTES, BULK_TABLES, type BulkTable } from '../postgres.ts'
import type { Site, Target } from '../targets/target.ts'
import { cpuTime } from '../usage.ts'
import { perOperation } from './pgbench.ts'
import type { Sample, Workload } from './workload.ts'

const NAMES: Readonly<Record<BulkTable, string>> = {
  bulk_plain: 'bulk.unmasked',
  bulk_same_length: 'bulk.masked.same-length',
  bulk_variable: 'bulk.masked.variable',
  bulk_hashed: 'bulk.masked.hashed',
}

export const bulkWorkloads: readonly Workload[] = BULK_TABLES.map((table) => ({
  name: NAMES[table],
  // Of the table, not of what comes out: masks make rows shorter or longer.
  unit: 'MB/s',
  operation: 'MB',
  better: 'higher',
  unfit: () => null,
  run: (target, site) => measure(table, target, site),
}))

async function measure(table: BulkTable, target: Target, site: Site): Promise<Sample> {
  const client = await WireClient.open(target)
  try {
    const before = target.pid === null ? null : cpuTime(target.pid)
    const started = performance.now()
    let tables = 0
    do {
      const bytes = await client.query(`SELECT * FROM ${table}`)
      if (bytes < site.postgres.bulkRows * BULK_ROW_BYTES * 0.5) {
        throw new Error(`${target.name} answered ${bytes} bytes for ${table}`)
      }
      tables += 1
    } while (performance.now() - started < site.options.seconds * 1000)
    const seconds = (performance.now() - started) / 1000
    const operations = (tables * site.postgres.bulkRows * BULK_ROW_BYTES) / 2 ** 20
    return {
      value: operations / seconds,
      cpu: before === null ? null : perOperation(target, { before, operations }),
      p50: null,
    }
  } finally {
    client.close()
  }
}
