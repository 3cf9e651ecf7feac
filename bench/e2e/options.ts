/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util'

export const TARGETS = [
  'direct',
  'pgbouncer',
  'haproxy',
  'gateway',
  'gateway-socket',
  'gateway-sleeping',
  'recording',
  'recording-all',
] as const
export type TargetName = (typeof TARGETS)[number]

export interface Options {
  readonly rounds: number
  /** Of each measurement. */
  readonly seconds: number
  /** Parts of workload names; empty: all of them. */
  readonly only: readonly string[]
  readonly targets: readonly TargetName[]
  /** File for the result; null: a new one in bench/results, which git ignores. */
  readonly json: string | null
  /** Name of a result to keep in bench/results/saved. */
  readonly save: string | null
  readonly smoke: boolean
  readonly megabytes: number
  readonly idleSessions: number
  readonly stalledReaders: number
  readonly upstream: 'tcp' | 'socket'
  readonly reuse: boolean
  /** Folder with `postgres` and `initdb`; null: found. */
  readonly postgresBin: string | null
  /** Folder for a CPU profile of the gateway; null: none. */
  readonly profile: string | null
}

export class UsageError extends Error {}

export const HELP = `Compares the Sallyport gateway with a direct connection, PgBouncer and HAProxy.

  npm run bench -- [options]

  --rounds N          rounds; in each, every target runs every workload (3)
  --seconds S         of each measurement (5)
  --only A,B          workloads whose name contains A or B (\`select\`, \`prepared.c8\`, \`bulk\`, \`memory\`)
  --targets A,B       of ${TARGETS.join(', ')} (all that are installed)
  --megabytes N       size of each bulk table (64)
  --idle-sessions N   of memory.idle (1000)
  --stalled-readers N of memory.stalled (8)
  --upstream HOW      tcp or socket: how pgbouncer and the gateway reach the server (tcp); gateway-socket
                      is the gateway over the socket whatever the others do
  --reuse             let the gateway keep upstream connections for the next client (off, as by default)
  --postgres-bin DIR  server binaries (the newest of /usr/lib/postgresql, else the npm package)
  --json FILE         where the result goes (a new file in bench/results, ignored by git)
  --save NAME         write it to bench/results/saved/NAME.json, which git keeps
  --profile DIR       the gateway writes a CPU profile there when it stops (it is slower meanwhile)
  --smoke             every kind of workload and target once, small and short: shows that all of it works
  --help
`

/** Throws UsageError. */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const values = parse(args)
  if (values.help === true) return 'help'
  const smoke = values.smoke === true
  const number = (name: 'rounds' | 'seconds' | 'megabytes' | 'idle-sessions' | 'stalled-readers') =>
    positive(name, values[name])
  return {
    rounds: number('rounds') ?? (smoke ? 1 : 3),
    seconds: number('seconds') ?? (smoke ? 0.3 : 5),
    only: list(values.only),
    targets: targetNames(list(values.targets)),
    json: values.json ?? null,
    save: saveName(values.save),
    smoke,
    megabytes: number('megabytes') ?? (smoke ? 1 : 64),
    idleSessions: number('idle-sessions') ?? (smoke ? 16 : 1000),
    stalledReaders: number('stalled-readers') ?? (smoke ? 2 : 8),
    upstream: upstreamOf(values.upstream),
    reuse: values.reuse === true,
    postgresBin: values['postgres-bin'] ?? null,
    profile: values.profile ?? null,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        only: { type: 'string' },
        targets: { type: 'string' },
        json: { type: 'string' },
        save: { type: 'string' },
        smoke: { type: 'boolean' },
        megabytes: { type: 'string' },
        'idle-sessions': { type: 'string' },
        'stalled-readers': { type: 'string' },
        upstream: { type: 'string' },
        reuse: { type: 'boolean' },
        'postgres-bin': { type: 'string' },
        profile: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : 'unreadable options', { cause })
  }
}

const list = (text: string | undefined): string[] =>
  (text ?? '').split(',').flatMap((part) => part.trim() || [])

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!(value > 0)) throw new UsageError(`--${name} takes a number above 0, not \`${text}\``)
  return value
}

function targetNames(names: readonly string[]): readonly TargetName[] {
  const unknown = names.find((name) => !TARGETS.some((known) => known === name))
  if (unknown !== undefined) {
    throw new UsageError(`no target \`${unknown}\`; there are ${TARGETS.join(', ')}`)
  }
  return names.length === 0 ? TARGETS : TARGETS.filter((known) => names.includes(known))
}

function upstreamOf(text: string | undefined): 'tcp' | 'socket' {
  if (text === undefined || text === 'tcp') return 'tcp'
  if (text === 'socket') return 'socket'
  throw new UsageError(`--upstream takes tcp or socket, not \`${text}\``)
}

function saveName(text: string | undefined): string | null {
  if (text === undefined) return null
  if (/^[\w.-]+$/.test(text)) return text
  throw new UsageError('--save takes a name of letters, digits, dots and dashes')
}
