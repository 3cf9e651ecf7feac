/**
 * Runs attacks in both worlds and says what they told: a canary in the bytes of world `a`, or bytes that are
 * not the same in both worlds. Statements whose answer changes by itself (a clock, a process id, what others do
 * on the server) are run again in both to tell the two apart.
 */
import type { Identity } from './identities.ts'
import type { LeakDetector } from './leaks.ts'
import type { WorldName } from './world-values.ts'

/**
 * How often worlds that differ are asked again: they must differ in the same way each time. Where two rows come by chance,
 * each answer is as likely as not to be the one before.
 */
const AGAIN = 12

interface AnyAttack {
  readonly steps: readonly unknown[]
  readonly undo?: string
}

/** A session with the gateway, used for many attacks. */
export interface AttackSession<Attack, Way> {
  readonly ended: boolean
  /** Every byte that came over the wire for it. */
  run(attack: Attack, way: Way): Promise<Buffer>
  close(): void
}

/** Two worlds behind a gateway, and what it takes to attack them in the protocol of their server. */
export interface Arena<Attack, Way> {
  readonly detector: LeakDetector
  connect(who: Identity, world: WorldName): Promise<AttackSession<Attack, Way>>
  /** As the superuser. */
  undo(world: WorldName, text: string): Promise<unknown>
  /** Of an answer, what must be the same in both worlds. */
  comparable(bytes: Buffer, attack: Attack, options: CampaignOptions<Way>): string
  /** The codes of the errors in an answer. */
  failures(bytes: Buffer): string
}

export interface Leak<Attack extends AnyAttack, Way> {
  readonly steps: Attack['steps']
  readonly who: Identity
  readonly way: Way
  /** Canaries and their forms, `differs`, or `fails differently`. */
  readonly found: readonly string[]
  /** Printable bytes of both worlds, cut. */
  readonly a: string
  readonly b: string
}

export interface Campaign<Attack extends AnyAttack, Way> {
  readonly leaks: readonly Leak<Attack, Way>[]
  /** Attacks whose answer differs from run to run, so that only canaries were looked for. */
  readonly restless: readonly Attack['steps'][]
  readonly runs: number
}

export interface CampaignOptions<Way> {
  readonly who: Identity
  readonly way: Way
}

const printable = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e]+/g, '·')
    .slice(0, 400)

export class Attacker<Attack extends AnyAttack, Way> {
  readonly #arena: Arena<Attack, Way>
  readonly #sessions = new Map<string, AttackSession<Attack, Way>>()

  constructor(arena: Arena<Attack, Way>) {
    this.#arena = arena
  }

  async #session(who: Identity, world: WorldName): Promise<AttackSession<Attack, Way>> {
    const key = `${who} ${world}`
    const known = this.#sessions.get(key)
    if (known !== undefined && !known.ended) return known
    const session = await this.#arena.connect(who, world)
    this.#sessions.set(key, session)
    return session
  }

  async run(attack: Attack, { who, way }: CampaignOptions<Way>, world: WorldName): Promise<Buffer> {
    const bytes = await (await this.#session(who, world)).run(attack, way)
    if (attack.undo !== undefined) await this.#arena.undo(world, attack.undo)
    return bytes
  }

  async campaign(
    attacks: readonly Attack[],
    options: CampaignOptions<Way>,
  ): Promise<Campaign<Attack, Way>> {
    const { detector, comparable, failures } = this.#arena
    const leaks: Leak<Attack, Way>[] = []
    const restless: Attack['steps'][] = []
    for (const attack of attacks) {
      const a = await this.run(attack, options, 'a')
      const b = await this.run(attack, options, 'b')
      const found = detector.find(a)
      const shown = (bytes: Buffer): string => comparable(bytes, attack, options)
      if (shown(a) !== shown(b)) {
        const same = { a: shown(a), b: shown(b) }
        let restful = true
        for (let i = 0; restful && i < AGAIN; i++)
          for (const world of ['a', 'b'] as const)
            restful &&= shown(await this.run(attack, options, world)) === same[world]
        if (!restful) restless.push(attack.steps)
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
