/** What the walk of a statement knows about its surroundings. */
import type { Catalog } from '../catalog.ts'
import type { StatementFacts } from '../facts.ts'
import type { SchemaChanges } from './schema-changes.ts'

export interface SessionNames {
  /** Effective search_path without the implicit pg_catalog and pg_temp; `uncertain`: names resolve to every candidate. */
  readonly searchPath: readonly string[] | 'uncertain'
  /** Temporary relations known to exist in this session, with their columns (null: unknown). */
  readonly temporaries: ReadonlyMap<string, readonly string[] | null>
  /** False: temporary relations may exist that are not listed. */
  readonly temporariesCertain: boolean
  /** Facts of a statement prepared with SQL's PREPARE; undefined when there is none of that name. */
  readonly prepared: (name: string) => StatementFacts | undefined
  /** Facts of a cursor's query; undefined when there is none of that name. */
  readonly cursors: (name: string) => StatementFacts | undefined
  /** What the open transaction has made of the schema; absent: nothing that is certain. */
  readonly schema?: SchemaChanges
  /** The schema has changed in a way that the text did not tell: relations may have other columns. Absent: it has not. */
  readonly stale?: boolean
  /** The open transaction has changed what names mean, and its end may undo that. Absent: it has not. */
  readonly pending?: boolean
}

export interface AnalysisContext {
  /** Null: syntactic facts only; every output is unknown. */
  readonly catalog: Catalog | null
  readonly names: SessionNames
}
