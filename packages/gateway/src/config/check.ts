/** What is wrong with a configuration of the right types. */
import { identityConfigProblems } from '@sallyport/identity'
import type { ConfigProblem } from '../errors.ts'
import { isHttpDestination, sinkFor } from '../exports/destination.ts'
import { SecretError } from '../secrets/errors.ts'
import { parseSecretReference } from '../secrets/reference.ts'
import type { GatewayConfig, ListenerConfig } from './model.ts'
import { secretPlaces } from './secret-references.ts'

export function problem(message: string, key = ''): ConfigProblem {
  return { line: null, column: null, key, message }
}

/** What a schema cannot say. */
export function checkConfig(config: GatewayConfig): ConfigProblem[] {
  const problems = identityConfigProblems(config.identity)
    .filter((one) => one.level === 'error')
    .map((one) => problem(one.message, `identity.${one.path}`))
  problems.push(...config.listeners.flatMap((listener, at) => checkListener(listener, at, config)))
  problems.push(...checkSecrets(config))
  problems.push(...checkAnchors(config.audit.anchors))
  problems.push(...checkExports(config.audit.exports))
  problems.push(...checkRetention(config.audit))
  problems.push(...checkPage(config))
  const roles = new Set(Object.keys(config.identity.roles))
  for (const [name, connection] of config.connections) {
    const key = `connections.${name}`
    if (name.includes('/')) problems.push(problem('may not contain `/`', key))
    for (const role of connection.roleCredentials.keys()) {
      if (!roles.has(role)) {
        problems.push(
          problem(`names the role \`${role}\`, which identity.roles does not have`, key),
        )
      }
    }
    if (connection.reuse !== null && connection.protocol === 'mysql') {
      problems.push(problem('cannot reuse connections of MySQL', `${key}.reuse`))
    }
    if (connection.localInfile && connection.protocol !== 'mysql') {
      problems.push(problem('is for MySQL only', `${key}.local-infile`))
    }
    const { mode, ca } = connection.tls
    if ((mode === 'verify-ca' || mode === 'verify-full') && connection.socket !== null) {
      problems.push(problem('cannot verify a certificate over a Unix socket', `${key}.tls`))
    }
    if (ca !== null && (mode === 'disable' || mode === 'prefer')) {
      problems.push(
        problem('names a CA, but its mode does not verify; use verify-full', `${key}.tls`),
      )
    }
  }
  return problems
}

/** What they name is read later; what names nothing is said now, with its place. */
function checkSecrets(config: GatewayConfig): ConfigProblem[] {
  return secretPlaces(config).flatMap(({ key, reference }) => {
    try {
      parseSecretReference(reference)
      return []
    } catch (error) {
      if (error instanceof SecretError) return [problem(error.message, key)]
      throw error
    }
  })
}

function checkAnchors(anchors: GatewayConfig['audit']['anchors']): ConfigProblem[] {
  return anchors.flatMap((anchor, at) => {
    if (!('url' in anchor) || isHttpDestination(anchor.url)) return []
    return [problem('must be https://…, or http://… to this machine', `audit.anchors.${at}.url`)]
  })
}

function checkExports(exports: GatewayConfig['audit']['exports']): ConfigProblem[] {
  const names = exports.map(({ name }) => name)
  return exports.flatMap(({ name, to }, at) => {
    const key = `audit.exports.${at}`
    if (names.indexOf(name) !== at) return [problem(`\`${name}\` is the name of another`, key)]
    if (sinkFor({ to, ca: null, authorization: null }) !== null) return []
    return [problem('must be https://…, syslog+tls://…, or in clear to this machine', `${key}.to`)]
  })
}

/** The log has the hashes that prove recordings. */
function checkRetention({ keepDays, recordings }: GatewayConfig['audit']): ConfigProblem[] {
  if (keepDays === null || recordings.keepDays === null || recordings.keepDays <= keepDays)
    return []
  const words = `is more than audit.keep-days (${keepDays}), and the log proves the recordings`
  return [problem(words, 'audit.recordings.keep-days')]
}

function checkPage({ approvals: { page }, identity, admin }: GatewayConfig): ConfigProblem[] {
  if (page === null) return []
  const problems: ConfigProblem[] = []
  const isLoopback = /^http:\/\/(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(page.origin)
  if (!(page.origin.startsWith('https://') || isLoopback)) {
    const words = 'must be https, as browsers reach the admin address (http only on loopback)'
    problems.push(problem(words, 'approvals.page.url'))
  }
  if (!identity.issuers.some(({ issuer }) => issuer === page.issuer)) {
    problems.push(problem('is none of identity.issuers', 'approvals.page.issuer'))
  }
  if (admin === null) problems.push(problem('needs `admin`', 'approvals.page'))
  return problems
}

function checkListener(
  { protocol, connection, oauth }: ListenerConfig,
  at: number,
  { connections, identity }: GatewayConfig,
): ConfigProblem[] {
  const key = `listeners.${at}`
  if (connection !== null) {
    if (connections.get(connection)?.protocol !== protocol) {
      return [problem(`names no ${protocol} connection: \`${connection}\``, `${key}.connection`)]
    }
  }
  if (oauth !== null) {
    if (protocol !== 'postgres') return [problem('is for PostgreSQL only', `${key}.oauth`)]
    if (!identity.issuers.some(({ issuer }) => issuer === oauth.issuer)) {
      return [problem('needs one of identity.issuers', `${key}.oauth`)]
    }
  }
  const served = [...connections.values()].some((one) => one.protocol === protocol)
  return served ? [] : [problem(`there is no ${protocol} connection to serve`, key)]
}
