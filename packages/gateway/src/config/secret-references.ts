/** Every place of a configuration that says where a secret is, by its key. */
import type { GatewayConfig } from './model.ts'

export interface SecretPlace {
  /** As in the file: `connections.crm.password`. */
  readonly key: string
  readonly reference: string
}

export function secretPlaces(config: GatewayConfig): SecretPlace[] {
  const places: [key: string, reference: string | null][] = []
  for (const {
    name,
    credential,
    roleCredentials,
    catalogCredential,
  } of config.connections.values()) {
    places.push([`connections.${name}.password`, credential.password])
    places.push([`connections.${name}.catalog.password`, catalogCredential?.password ?? null])
    for (const [role, { password }] of roleCredentials)
      places.push([`connections.${name}.roles.${role}.password`, password])
  }
  return [...places.flatMap(placeOf), ...ownSecretPlaces(config)]
}

/** Those that are no credentials of databases. */
export function ownSecretPlaces({ audit, approvals, store }: GatewayConfig): SecretPlace[] {
  const { key, previousKeys } = audit.recordings
  const { slack, webhooks } = approvals
  const places: [key: string, reference: string | null][] = [
    ['audit.recordings.key', key],
    ...previousKeys.map((one, at): [string, string] => [
      `audit.recordings.previous-keys.${at}`,
      one,
    ]),
    ...audit.exports.map(({ authorization }, at): [string, string | null] => [
      `audit.exports.${at}.authorization`,
      authorization,
    ]),
    ...webhooks.map(({ secret }, at): [string, string] => [
      `approvals.webhooks.${at}.secret`,
      secret,
    ]),
    ['approvals.slack.token', slack?.token ?? null],
    ['approvals.slack.signing-secret', slack?.signingSecret ?? null],
    ['store.url', store?.url ?? null],
  ]
  return places.flatMap(placeOf)
}

const placeOf = ([key, reference]: [string, string | null]): SecretPlace[] =>
  reference === null ? [] : [{ key, reference }]
