/**
 * Runs attacks in both worlds and says what they told: a canary in the bytes of world `a`, or bytes that are
 * not the same in both worlds. Statements whose answer changes by itself (a clock, a process id) are run again
 * in the same world to tell the two apart.
 */
import type { WireClient } from '../support/wire.ts'
import { type Attack, runAttack, type Way } from './run-attack.ts'
import type { Identity, World } from './world.ts'

export interface Leak {
  readonly steps: Attack['steps']
  readonly who: Identity
  readonly way: Way
  /** Canaries and their forms, `differs`, or `fails differently`. */
  readonly found: readonly string[]
  /** Printable bytes of both worlds, cut. */
  readonly a: string
  readonly b: string
}

export interface Campaign {
  readonly leaks: readonly Leak[]
  /** Attacks whose answer differs from run to run, so that only canaries were looked for. */
  readonly restless: readonly Attack['steps'][]
  readonly runs: number
}

export interface CampaignOptions {
  readonly who: Identity
  readonly way: Way
}

/** Hashes are of the values, so they may differ; what they stand for may not. */
const HASH = /[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|-\d{4,}(\.\d+)?/g

/** Hashes in binary cells cannot be told from anything else: there is nothing to compare then. */
function comparable(bytes: Buffer, { steps }: Attack, { who, way }: CampaignOptions): string {
  if (who !== 'hashed') return bytes.toString('latin1')
  const isBinary = way === 'extended binary' || /\bBINARY\b/i.test(steps.join())
  return isBinary ? '' : withoutHashes(bytes)
}

/** Frames without their lengths, and cells without theirs: a hash of a number is as wide as it is. */
function withoutHashes(bytes: Buffer): string {
  const parts: string[] = []
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + bytes.readUInt32BE(at + 1)
    const type = bytes.toString('latin1', at, at + 1)
    const body = bytes.subarray(at + 5, end)
    parts.push(type, ...(type === 'D' ? cellsOf(body) : [body.toString('latin1')]))
    at = end
  }
  return parts.map((part) => part.replaceAll(HASH, '#')).join('\0')
}

function cellsOf(row: Buffer): string[] {
  const cells: string[] = []
  for (let at = 2; at + 4 <= row.length; ) {
    const length = row.readInt32BE(at)
    cells.push(length < 0 ? 'NULL' : row.toString('latin1', at + 4, at + 4 + length))
    at += 4 + Math.max(0, length)
  }
  return cells
}

/** The SQLSTATEs of the errors among the frames, as text. */
const failures = (bytes: Buffer): string =>
  [...bytes.toString('latin1').matchAll(/\0C([0-9A-Z]{5})\0M/g)].map((match) => match[1]).join()

const printable = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e]+/g, '·')
    .slice(0, 400)

export class Attacker {
  readonly #world: World
  readonly #sessions = new Map<string, WireClient>()

  constructor(world: World) {
    this.#world = world
  }

  async #session(who: Identity, world: 'a' | 'b'): Promise<WireClient> {
    const key = `${who} ${world}`
    const known = this.#sessions.get(key)
    if (known !== undefined && !known.ended) return known
    const session = await this.#world.connect(who, world)
    this.#sessions.set(key, session)
    return session
  }

  async run(attack: Attack, { who, way }: CampaignOptions, world: 'a' | 'b'): Promise<Buffer> {
    const bytes = await runAttack(await this.#session(who, world), attack, way)
    if (attack.undo !== undefined) await this.#world.sql(world, attack.undo)
    return bytes
  }

  async campaign(attacks: readonly Attack[], options: CampaignOptions): Promise<Campaign> {
    const leaks: Leak[] = []
    const restless: Attack['steps'][] = []
    for (const attack of attacks) {
      const a = await this.run(attack, options, 'a')
      const b = await this.run(attack, options, 'b')
      const found = this.#world.detector.find(a)
      const shown = (bytes: Buffer): string => comparable(bytes, attack, options)
      if (shown(a) !== shown(b)) {
        const again = await this.run(attack, options, 'a')
        if (shown(a) !== shown(again)) restless.push(attack.steps)
        else found.push(failures(a) === failures(b) ? 'differs' : 'fails differently')
      }
      if (found.length > 0)
        leaks.push({ steps: attack.steps, ...options, found, a: printable(a), b: printable(b) })
    }
    return { leaks, restless, runs: attacks.length }
  }

  close(): void {
    for (const session of this.#sessions.values()) session.close()
  }
}
