/**
 * What a log is called among others, for ever: the hash of its first record, which names its first key and its
 * first moment. Kept in a file beside the segments, because the first of them may one day be past its time.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { leafHash } from './merkle.ts'
import { LineReader, segmentPath } from './segments.ts'

const IDENTITY_FILE = 'log-id'
const IDENTITY = /^[0-9a-f]{64}$/

/** Null: it has no first record yet, or nobody knows it any more. */
export function logIdentity(directory: string): string | null {
  const file = join(directory, IDENTITY_FILE)
  if (existsSync(file)) {
    const identity = readFileSync(file, 'utf8').trim()
    if (IDENTITY.test(identity)) return identity
  }
  const first = segmentPath(directory, 1)
  if (!existsSync(first)) return null
  const reader = new LineReader(first)
  try {
    const line = reader.next()
    if (line.kind !== 'line') return null
    const identity = leafHash(line.bytes)
    writeFileSync(file, `${identity}\n`, { mode: 0o600 })
    return identity
  } finally {
    reader.close()
  }
}
