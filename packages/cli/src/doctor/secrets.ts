/** Secrets that are no credentials of databases: they are there, and the keys among them are keys. */
import type { GatewayConfig, Secrets } from '@sallyport/gateway'
import { Area } from './findings.ts'

export async function checkSecrets(config: GatewayConfig, now: () => number): Promise<Area> {
  const { ownSecretPlaces, recordingKey } = await import('@sallyport/gateway')
  const area = new Area('secrets')
  const places = ownSecretPlaces(config)
  if (places.length === 0) return area
  const secrets = await secretsFor(area, now)
  for (const { key, reference } of places) {
    try {
      if (key.startsWith('audit.recordings.')) await recordingKey(secrets, reference)
      else await secrets.get(reference)
      area.ok(`${key} can be read`)
    } catch (error) {
      const message = error instanceof Error ? error.message : 'unknown'
      area.fail(`${key}: ${message}`, 'Correct the secret reference, or set what it names.')
    }
  }
  return area
}

/** What warns as the gateway would. */
export async function secretsFor(area: Area, now: () => number): Promise<Secrets> {
  const { createSecrets } = await import('@sallyport/gateway')
  return createSecrets({
    now,
    warn: ({ code, reference }) => {
      if (code === 'secret-file-world-readable') {
        area.warn(`the secret ${reference} can be read by every account`, 'chmod 600 the file.')
      } else {
        area.warn(
          'a password stands in the configuration itself',
          'Use env:, file: or exec: instead.',
        )
      }
    },
  })
}
