/**
 * One reader per kind of reference. A read gives the secret and a mark by which the cache (store.ts)
 * knows whether it is still current.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { SecretError } from './errors.ts'
import { runCommand } from './exec.ts'
import { SECRET_BYTES_MAX } from './limits.ts'
import { describeSecretReference, type SecretReference } from './reference.ts'
import { Secret } from './secret.ts'

/** Something to tell the operator once; never holds a secret. */
export interface SecretWarning {
  readonly code: 'secret-in-configuration' | 'secret-file-world-readable'
  readonly reference: string
}

export interface SecretSource {
  readonly description: string
  /** Throws SecretError. */
  read(signal: AbortSignal): Promise<Secret>
  /**
   * Changes when the source has something new; undefined when only time can tell. Throws SecretError
   * when the source is gone.
   */
  mark(): Promise<string | undefined>
}

export interface SourceOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly warn: (warning: SecretWarning) => void
}

export function secretSourceFor(reference: SecretReference, options: SourceOptions): SecretSource {
  const description = describeSecretReference(reference)
  switch (reference.kind) {
    case 'env': {
      const value = (): string => {
        const text = options.env[reference.name]
        if (text === undefined) {
          throw new SecretError(
            'variable-missing',
            `\`${reference.name}\` is not in the environment`,
          )
        }
        return text
      }
      return {
        description,
        read: async () => usable(value(), description),
        mark: async () => value(),
      }
    }
    case 'file':
      return {
        description,
        read: () => readSecretFile(reference.path, options.warn),
        mark: () => fileMark(reference.path),
      }
    case 'exec':
      return {
        description,
        read: async (signal) => decode(await runCommand(reference, { signal }), description),
        mark: async () => undefined,
      }
    case 'plain':
      options.warn({ code: 'secret-in-configuration', reference: description })
      return {
        description,
        read: async () => usable(reference.value.reveal(), description),
        mark: async () => '',
      }
    default:
      return reference satisfies never
  }
}

/** Inode, size and times: a file replaced by rename has another mark even at an equal mtime. */
async function fileMark(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

async function readSecretFile(
  path: string,
  warn: (warning: SecretWarning) => void,
): Promise<Secret> {
  let file: FileHandle | undefined
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for a writer for ever.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const found = await file.stat()
    if (!found.isFile()) throw new SecretError('file-unreadable', `\`${path}\` is not a file`)
    if (found.size > SECRET_BYTES_MAX) {
      throw new SecretError('secret-too-large', `\`${path}\` has over ${SECRET_BYTES_MAX} bytes`)
    }
    if (process.platform !== 'win32' && (found.mode & 0o004) !== 0) {
      warn({ code: 'secret-file-world-readable', reference: `file:${path}` })
    }
    const bytes = Buffer.alloc(SECRET_BYTES_MAX + 1)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
    return decode(bytes.subarray(0, bytesRead), `file:${path}`)
  } catch (cause) {
    throw cause instanceof SecretError ? cause : unreadable(path, cause)
  } finally {
    await file?.close()
  }
}

/** UTF-8 without the one line end that editors and `echo` add. */
function decode(bytes: Uint8Array, description: string): Secret {
  if (bytes.length > SECRET_BYTES_MAX) {
    throw new SecretError(
      'secret-too-large',
      `\`${description}\` has over ${SECRET_BYTES_MAX} bytes`,
    )
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new SecretError('secret-unusable', `\`${description}\` is not UTF-8`)
  }
  return usable(text.replace(/\r?\n$/, ''), description)
}

function usable(text: string, description: string): Secret {
  if (text === '') throw new SecretError('secret-unusable', `\`${description}\` is empty`)
  if (text.includes('\0')) {
    throw new SecretError('secret-unusable', `\`${description}\` has a NUL in it`)
  }
  return new Secret(text)
}

function unreadable(path: string, cause: unknown): SecretError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
  return new SecretError('file-unreadable', `cannot read \`${path}\`: ${code}`, { cause })
}
