/** What the workloads are run against. */
import type { Options, TargetName } from '../options.ts'
import type { Postgres } from '../postgres.ts'
import type { Account } from '../programs.ts'

export interface Target {
  readonly name: TargetName
  readonly host: string
  readonly port: number
  /** Port that speaks TLS after SSLRequest; null: not here. */
  readonly tlsPort: number | null
  readonly user: string
  readonly password: string
  readonly database: string
  /** The process whose CPU time and memory are the target's; null for the server: it is many. */
  readonly pid: number | null
  readonly version: string
  stop(): Promise<void>
}

/** What targets are made of. */
export interface Site {
  readonly directory: string
  readonly postgres: Postgres
  readonly account: Account | undefined
  /** PEM files for the client leg; null: no TLS workloads. */
  readonly certificate: { readonly certFile: string; readonly keyFile: string } | null
  readonly options: Options
}

/** Why a target is not there. */
export class Unavailable extends Error {}
