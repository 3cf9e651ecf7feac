/**
 * Heads of segments that are closed and done with leave heads.jsonl: each such segment ends in a signed head over all
 * of it, and is chained to what follows. What is left are the heads of the newest closed segment and of the open one.
 */

import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { HEADS_FILE } from './heads.ts'
import { AppendFile, syncDirectory, syncFile } from './log-files.ts'
import { isMap } from './record.ts'

/**
 * Drops the heads of segments before `segment`, which the file begins with; what is no head stays, with all behind it.
 * Returns the file as it is now, to be written to; null: nothing had to go. Nobody may write to it meanwhile.
 */
export async function dropOldHeads(directory: string, segment: number): Promise<AppendFile | null> {
  const file = join(directory, HEADS_FILE)
  const draft = `${file}.new`
  const from = await open(file, 'r')
  try {
    const start = await beginningOf(segment, from)
    if (start === 0) return null
    const { size } = await from.stat()
    const kept = Buffer.alloc(size - start)
    await from.read(kept, 0, kept.length, start)
    const to = await open(draft, 'w', 0o600)
    try {
      await to.writeFile(kept)
    } finally {
      await to.close()
    }
    await syncFile(draft)
    // Opened under the old name: from the renaming on, heads go into no other file.
    const heads = new AppendFile(draft, kept.length)
    try {
      await rename(draft, file)
    } catch (error) {
      heads.close()
      throw error
    }
    // Failing, a power cut may bring the old file back, which has the same heads and those since then not.
    await syncDirectory(directory).catch(() => {})
    return heads
  } finally {
    await from.close()
  }
}

type FileHandle = Awaited<ReturnType<typeof open>>

/** Where the first head stands that is of `segment` or a later one. */
async function beginningOf(segment: number, file: FileHandle): Promise<number> {
  let start = 0
  const lines = file.readLines({ start: 0, autoClose: false, encoding: 'latin1' })
  for await (const line of lines) {
    if (!isBefore(segment, line)) break
    start += line.length + 1
  }
  lines.close()
  return start
}

function isBefore(segment: number, line: string): boolean {
  try {
    const head: unknown = JSON.parse(line)
    return isMap(head) && typeof head['segment'] === 'number' && head['segment'] < segment
  } catch {
    return false
  }
}
