/** `sallyport doctor`: every check in the order in which a start would meet them. Changes nothing. */
import type { GatewayConfig } from '@sallyport/gateway'
import { identityConfigProblems } from '@sallyport/identity'
import { formatPolicyError, type Policy } from '@sallyport/policy'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { readToken } from '../files.ts'
import { counted } from '../numbers.ts'
import { checkAudit, checkState } from './directories.ts'
import { Area, type Finding, printArea, printSummary } from './findings.ts'
import { checkIssuers } from './issuers.ts'
import { checkAdmin, checkListener } from './listeners.ts'
import { checkSecrets } from './secrets.ts'
import { checkToken } from './token.ts'
import { checkConnection } from './upstream.ts'

export interface DoctorFlags {
  readonly config: string
  readonly tokenFile?: string
  readonly connection?: string
  readonly role?: string
  readonly json?: boolean
}

export async function doctor(flags: DoctorFlags, cli: Cli): Promise<ExitCode> {
  const findings: Finding[] = []
  const report = (area: Area): void => {
    findings.push(...area.findings)
    if (flags.json !== true) printArea(area, cli)
  }
  const token = flags.tokenFile === undefined ? null : await readToken(flags.tokenFile, cli)
  const config = await checkConfiguration(flags.config, report)
  if (config !== null) await checkAll({ config, token, flags, cli, report })
  if (flags.json === true) cli.out.json(findings)
  else printSummary(findings, cli)
  if (config === null) return EXIT.usage
  return findings.some(({ level }) => level === 'fail') ? EXIT.notOk : EXIT.ok
}

interface Examination {
  readonly config: GatewayConfig
  readonly token: string | null
  readonly flags: DoctorFlags
  readonly cli: Cli
  readonly report: (area: Area) => void
}

async function checkAll({ config, token, flags, cli, report }: Examination): Promise<void> {
  const connections = chosenConnections(config, flags.connection)
  const policy = await checkPolicy(config, report)
  for (const listener of config.listeners) report(await checkListener(listener, config, cli.now()))
  report(await checkAdmin(config, cli.now()))
  for (const area of await checkIssuers(config, cli.now)) report(area)
  for (const connection of connections) report(await checkConnection(connection, cli.now))
  const secrets = await checkSecrets(config, cli.now)
  if (secrets.findings.length > 0) report(secrets)
  report(await checkState(config))
  report(await checkAudit(config))
  if (token === null) return
  const { connection = null, role = null } = flags
  report(await checkToken({ token, config, policy, connection, role }, cli))
}

function chosenConnections(config: GatewayConfig, name: string | undefined) {
  if (name === undefined) return [...config.connections.values()]
  const found = config.connections.get(name)
  if (found !== undefined) return [found]
  const names = [...config.connections.keys()].join(', ')
  throw new CliError('usage', `no connection \`${name}\`; there are: ${names}`)
}

async function checkConfiguration(
  path: string,
  report: (area: Area) => void,
): Promise<GatewayConfig | null> {
  const { ConfigError, loadConfig } = await import('@sallyport/gateway')
  const area = new Area(`configuration ${path}`)
  let config: GatewayConfig | null = null
  try {
    config = loadConfig(path)
    const { connections, listeners } = config
    area.ok(
      `valid: ${counted(listeners.length, 'listener')}, ${counted(connections.size, 'connection')}`,
    )
    for (const problem of identityConfigProblems(config.identity)) {
      if (problem.level === 'warning') {
        area.warn(
          `identity.${problem.path}: ${problem.message}`,
          'See identity in the configuration.',
        )
      }
    }
    for (const [name, { groups = [], subjects = [] }] of Object.entries(config.identity.roles)) {
      if (groups.length + subjects.length === 0) {
        area.warn(`nobody can take the role \`${name}\``, 'Give it groups or subjects.')
      }
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const { line, column, key, message } of error.problems) {
      const place = line === null ? '' : `line ${line}:${column ?? 1}: `
      area.fail(`${place}${key === '' ? '' : `\`${key}\` `}${message}`, 'Correct the file.')
    }
  }
  report(area)
  return config
}

async function checkPolicy(
  config: GatewayConfig,
  report: (area: Area) => void,
): Promise<Policy | null> {
  const { loadPolicy, PolicyLoadError } = await import('@sallyport/gateway')
  const area = new Area('policy')
  let policy: Policy | null = null
  try {
    const loaded = await loadPolicy(config.policies)
    policy = loaded.policy
    const { rules, masks, warnings } = policy
    area.ok(
      `${counted(loaded.files.length, 'file')}, ${counted(rules.length, 'rule')}, ${counted(masks.length, 'mask')}`,
    )
    for (const warning of warnings) area.warn(warning, 'Is that wanted?')
    if (!rules.some(({ kind }) => kind !== 'deny')) {
      area.warn('no rule allows anything: nobody can log in', 'Add a rule with allow or approve.')
    }
  } catch (error) {
    if (!(error instanceof PolicyLoadError)) throw error
    for (const one of error.errors) area.fail(formatPolicyError(one), 'Correct the file.')
  }
  report(area)
  return policy
}
