/** What every chapter of the tour works with. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import type pg from 'pg'
import { PROJECT, type RunningDemo } from '../demo.ts'
import { CLI } from '../gateway-process.ts'
import { CONNECTION, ROLES, type RoleName } from '../people.ts'
import type { Canaries } from './canaries.ts'
import type { Narrator } from './narrator.ts'
import { Person, type Sent } from './person.ts'
import type { Tap } from './tap.ts'
import { WireClient } from './wire.ts'

export interface Tour {
  readonly demo: RunningDemo
  readonly narrator: Narrator
  readonly canaries: Canaries
  /** Every statement sent so far. */
  readonly sent: Sent[]
  /** Every token used so far. */
  readonly tokens: Set<string>
  /** Clients under masks come through here: everything they receive is kept. */
  readonly tap: Tap
  /** And the DBA through here. */
  readonly dbaTap: Tap
  /** A token of the role's user, fresh from the issuer. */
  token(role: RoleName): Promise<string>
  /** Connects through the tap of the role. */
  connect(role: RoleName, options?: ConnectOptions): Promise<Person>
  wire(role: RoleName): Promise<WireClient>
  /** How a driver connects with verified TLS. */
  overTls(role: string, token: string): Promise<pg.ClientConfig>
}

export interface ConnectOptions {
  readonly token?: string
}

export function tourOver(
  parts: Pick<Tour, 'demo' | 'narrator' | 'canaries' | 'tap' | 'dbaTap'>,
): Tour {
  const { demo, narrator, tap, dbaTap } = parts
  const sent: Sent[] = []
  const tokens = new Set<string>()
  const token = async (role: RoleName): Promise<string> => {
    const fresh = await demo.issuer.token(ROLES[role].user.sub)
    tokens.add(fresh)
    return fresh
  }
  const portOf = (role: RoleName): number => (role === 'dba' ? dbaTap : tap).port
  return {
    ...parts,
    sent,
    tokens,
    token,
    async connect(role, options = {}) {
      const password = options.token ?? (await token(role))
      const config = {
        host: '127.0.0.1',
        port: portOf(role),
        user: role,
        password,
        database: CONNECTION,
      }
      const person = new Person({ role, config, narrator, sent })
      await person.connect()
      return person
    },
    wire: async (role) =>
      WireClient.login({
        port: portOf(role),
        user: role,
        database: CONNECTION,
        password: await token(role),
      }),
    async overTls(role, password) {
      const ca = await readFile(demo.certificate, 'utf8')
      return {
        host: 'localhost',
        port: demo.ports.gateway,
        user: role,
        password,
        database: CONNECTION,
        ssl: { ca, rejectUnauthorized: true },
      }
    },
  }
}

export interface CommandResult {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

const COMMAND_MS_MAX = 60_000

/** Runs a program from the project's folder; never rejects. */
export function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = {
      cwd: PROJECT,
      env: { ...process.env, ...env },
      timeout: COMMAND_MS_MAX,
      maxBuffer: 16 * 1024 * 1024,
    }
    execFile(file, [...args], options, (error, stdout, stderr) => {
      const exit = error === null ? 0 : typeof error.code === 'number' ? error.code : 127
      resolve({ exit, stdout, stderr })
    })
  })
}

/** The `sallyport` command. */
export function sallyport(...args: readonly string[]): Promise<CommandResult> {
  return run(process.execPath, [CLI, ...args])
}
