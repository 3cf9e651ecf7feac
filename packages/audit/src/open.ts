/** Opens the log of a directory: one writer, a chain that goes on where it stood, the key that was used. */

import { join } from 'node:path'
import { AuditError, systemCodeOf } from './errors.ts'
import { checkHead } from './heads.ts'
import { settleKeyChange } from './key-changes.ts'
import { keepPublicKey, loadSigningKey, type SigningKey } from './keys.ts'
import { type DirectoryLock, lockDirectory } from './lock.ts'
import { type AuditLog, FileAuditLog } from './log.ts'
import { createDirectory } from './log-files.ts'
import { type AuditLogOptions, settingsOf } from './options.ts'
import { type Found, inspectDirectory } from './recover.ts'

/**
 * Opens a directory's log, makes it when there is none, and goes on with its chain.
 * @throws AuditError locked | corrupt | key-missing | key-unsafe | invalid-option | unavailable
 */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const settings = settingsOf(options)
  let lock: DirectoryLock | null = null
  try {
    createDirectory(options.directory)
    lock = lockDirectory(options.directory)
    const found = inspectDirectory(options.directory)
    const key = keyFor(options, found)
    const keyFile = signingKeyFile(options)
    const log = new FileAuditLog({ settings, found, key, keyFile, lock })
    await log.start(found)
    return log
  } catch (cause) {
    lock?.release()
    if (cause instanceof AuditError) throw cause
    const code = systemCodeOf(cause)
    throw new AuditError('unavailable', `audit log does not open: ${code}`, { cause })
  }
}

function signingKeyFile({ signingKey, directory }: AuditLogOptions): string {
  return signingKey?.file ?? join(directory, 'signing-key.pem')
}

/** A key is only ever made for a new log: a lost one must not be replaced unnoticed. */
function keyFor(options: AuditLogOptions, found: Found): SigningKey {
  const file = signingKeyFile(options)
  settleKeyChange(options.directory, file)
  const key = loadSigningKey({ file, create: found.chain.seq === 0 })
  const { newest } = found
  const ours = { keyId: key.keyId, key: key.publicKey }
  if (newest !== null && checkHead(newest, [ours]) === 'bad-signature') {
    throw new AuditError(
      'corrupt',
      `the newest head, of record ${newest.seq}, has a false signature`,
    )
  }
  keepPublicKey(options.directory, key)
  return key
}
