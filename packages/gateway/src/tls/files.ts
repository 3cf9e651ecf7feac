/** Reading PEM files, and telling whether they have changed. */
import type { BigIntStats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { TlsError } from './errors.ts'

/** Largest PEM file, bytes: a bundle of a few hundred CA certificates fits. */
export const PEM_BYTES_MAX = 1_048_576

export async function readPem(path: string): Promise<Buffer> {
  const { size } = await statFile(path)
  if (size > BigInt(PEM_BYTES_MAX)) {
    throw new TlsError('file-unreadable', `\`${path}\` has over ${PEM_BYTES_MAX} bytes`)
  }
  return readFile(path).catch((cause: unknown) => {
    throw unreadable(path, cause)
  })
}

/** One string for the state of several files: another string means that one of them has changed. */
export async function filesMark(paths: readonly string[]): Promise<string> {
  const marks = await Promise.all(
    paths.map(async (path) => {
      const { dev, ino, size, mtimeNs, ctimeNs } = await statFile(path)
      return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
    }),
  )
  return marks.join(' ')
}

/** May accounts other than the owner and its group read it? */
export async function isWorldReadable(path: string): Promise<boolean> {
  return process.platform !== 'win32' && ((await statFile(path)).mode & 0o004n) !== 0n
}

async function statFile(path: string): Promise<BigIntStats> {
  try {
    const found = await stat(path, { bigint: true })
    if (found.isFile()) return found
  } catch (cause) {
    throw unreadable(path, cause)
  }
  throw new TlsError('file-unreadable', `\`${path}\` is not a file`)
}

function unreadable(path: string, cause: unknown): TlsError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
  return new TlsError('file-unreadable', `cannot read \`${path}\`: ${code}`, { cause })
}
