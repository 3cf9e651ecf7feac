/**
 * Statements labelled by real servers, for tests. They live outside the project: the folder is named by
 * SALLYPORT_CORPORA, and without it the tests that need them are skipped.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Dialect } from './ast.ts'
import { MARIADB, MYSQL } from './fixtures.ts'

export interface Entry {
  readonly sql: string
  readonly class: 'SELECT' | 'DML' | 'DDL' | 'ROUTINE' | 'UTIL'
  /** Taken by the server of the corpus. */
  readonly valid: boolean
}

export const CORPORA_FOLDER = process.env['SALLYPORT_CORPORA'] ?? ''

export const CORPORA = [
  'mysql97-suite',
  'mariadb1011-suite',
  'mysql-tools',
  'mariadb-tools',
  'mysql-apps',
  'mariadb-apps',
] as const
export type Corpus = (typeof CORPORA)[number]

export function dialectOf(corpus: Corpus): Dialect {
  return corpus.startsWith('mysql') ? MYSQL : MARIADB
}

export function load(corpus: Corpus): Entry[] {
  const text = gunzipSync(readFileSync(join(CORPORA_FOLDER, `${corpus}.jsonl.gz`))).toString()
  const label = corpus.startsWith('mysql') ? 'valid_mysql97' : 'valid_mariadb1011'
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map((entry) => ({ sql: entry.sql, class: entry.class, valid: entry[label] }))
}
