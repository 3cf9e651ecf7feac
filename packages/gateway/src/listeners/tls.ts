/** A listener's certificate: the one configuration names, or one the gateway makes for itself. */
import { join } from 'node:path'
import type { ListenerConfig } from '../config/model.ts'
import type { Logger } from '../telemetry/index.ts'
import { generateSelfSigned } from '../tls/self-signed.ts'
import { loadServerTls, type PemPair, type ServerTls } from '../tls/server.ts'

export interface ListenerTlsOptions {
  readonly stateDirectory: string
  readonly log: Logger
  /** See ServerTlsOptions. */
  readonly onPair?: (pair: PemPair) => void
}

/** `certificate`: PEM file a client can trust; null unless the gateway made the certificate itself. */
export async function listenerTls(
  config: Pick<ListenerConfig, 'tls'>,
  { stateDirectory, log, onPair }: ListenerTlsOptions,
): Promise<{ tls: ServerTls | null; certificate: string | null }> {
  if (config.tls.kind === 'off') return { tls: null, certificate: null }
  let files = { certFile: '', keyFile: '' }
  let certificate: string | null = null
  if (config.tls.kind === 'files') {
    files = { certFile: config.tls.certificate, keyFile: config.tls.key }
  } else {
    const made = await generateSelfSigned({
      hosts: config.tls.hosts,
      directory: join(stateDirectory, 'tls'),
      now: Date.now,
    })
    if (made.created) log.info({ fingerprint: made.fingerprint }, 'made a self-signed certificate')
    files = made
    certificate = made.certFile
  }
  const { certFile, keyFile } = files
  const tls = await loadServerTls({
    certFile,
    keyFile,
    now: Date.now,
    onEvent: (event) => {
      if (event.kind === 'loaded') log.debug({ event }, 'certificate')
      else log.warn({ event }, 'certificate')
    },
    ...(onPair !== undefined && { onPair }),
  })
  return { tls, certificate }
}
