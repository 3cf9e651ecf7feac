/** Start-up settings a client asks for, decided before the server applies them. */
import { decide, type PrincipalView } from '@sallyport/policy'
import { SQLSTATE, type Startup } from '@sallyport/protocol-postgres'
import type { Analysis, PostgresReader } from '@sallyport/sql'
import { APPROVALS_SETTING, AUTH_SETTING, LoginRefused } from '../admission.ts'

/** Throws LoginRefused where policy does not allow one of them. `now`: ms since 1970. */
export async function checkStartupSettings(
  startup: Startup,
  view: PrincipalView,
  reader: PostgresReader,
  now: number,
): Promise<void> {
  await reader.ready()
  if (startup.options.some((option) => option.kind === 'switch')) {
    // Server switches (-O, -f, ...) are no SET; they pass only where policy names the effect `unknown`.
    const verdict = decide(view, SWITCHES, { now: now })
    if (verdict.kind !== 'allow') {
      throw new LoginRefused('option-refused', {
        sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
        message: 'the start-up options may hold settings (`-c name=value`) and nothing else',
      })
    }
  }
  for (const { name, value } of startup.settings) {
    // Ours: the server takes them for settings of an extension it does not have.
    if (name === APPROVALS_SETTING || name === AUTH_SETTING) continue
    if (name === 'application_name' || (name === 'client_encoding' && isUtf8(value))) continue
    // The server would apply it before any statement is decided: decide it as the SET it amounts to.
    const analysis = reader.analyze(`SET ${settingName(name)} TO ${literal(value)}`, {
      catalog: null,
      names: NO_NAMES,
    })
    const verdict = decide(view, analysis, { now: now })
    if (verdict.kind === 'allow') continue
    throw new LoginRefused('setting-refused', {
      sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
      message: `the start-up setting "${name}" is not allowed: ${verdict.message}`,
      hint: verdict.hint,
    })
  }
}

const SWITCHES: Analysis = {
  kind: 'unparsable',
  code: 'internal',
  sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
  message: 'server switches among the start-up options',
  position: null,
  hint: null,
  detail: null,
}

const NO_NAMES = {
  searchPath: 'uncertain',
  temporaries: new Map<string, readonly string[] | null>(),
  temporariesCertain: false,
  prepared: () => undefined,
  cursors: () => undefined,
} as const

function isUtf8(encoding: string): boolean {
  return /^(utf-?8|unicode)$/i.test(encoding.replaceAll("'", '').trim())
}

function settingName(name: string): string {
  return name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.')
}

function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}
