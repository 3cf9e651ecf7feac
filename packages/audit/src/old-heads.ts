/**
 * Heads from before the newest footer leave heads.jsonl: each segment they are of ends in a signed head over all of it,
 * and is chained to what follows. The head that the footer names stays, so that it is known where the file begins.
 */

import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { SignedHead } from './event.ts'
import { decodeHead, HEADS_FILE, numberOf } from './heads.ts'
import { AppendFile, syncDirectory, syncFile } from './log-files.ts'

/**
 * Drops the heads in front of the one that a segment's footer names; what is no head stays, with all behind it.
 * Returns the file as it is now, to be written to; null: nothing had to go. Nobody may write to it meanwhile.
 */
export async function dropOldHeads(
  directory: string,
  footer: SignedHead,
): Promise<AppendFile | null> {
  const file = join(directory, HEADS_FILE)
  const draft = `${file}.new`
  const from = await open(file, 'r')
  try {
    const start = await beginningOf(numberOf(footer) - 1, from)
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

/** Where the head with this number stands. */
async function beginningOf(number: number, file: FileHandle): Promise<number> {
  let start = 0
  const lines = file.readLines({ start: 0, autoClose: false, encoding: 'latin1' })
  for await (const line of lines) {
    const head = decodeHead(line)
    if (head === null || numberOf(head) >= number) break
    start += line.length + 1
  }
  lines.close()
  return start
}
