/**
 * Runs one attack in a session and gives back every byte that came over the wire for it. A session is used
 * for many attacks: after each it is brought back to what it was.
 */
import { COM, HEADER } from '@sallyport/protocol-mysql'
import type { MysqlReply, MysqlWire } from '../../support/mysql-wire.ts'
import type { Arena } from '../campaign.ts'
import type { MysqlWorld } from './world.ts'

/** A text sent in the way of the run, or a command of the protocol with its body. */
export type Step = string | { readonly command: number; readonly body: string }

export interface Attack {
  readonly steps: readonly Step[]
  /** Why it might work, where the text does not say. */
  readonly why?: string
  /** Takes back, as the superuser, what it may have left behind. */
  readonly undo?: string
  /** Nothing is sent after a step that failed. */
  readonly chain?: true
  /** The only server that knows such statements. */
  readonly only?: 'mysql' | 'mariadb'
}

/** `prepared`: rows in binary; `cursor`: fetched from one. */
export type Way = 'query' | 'prepared' | 'cursor'
export const WAYS: readonly Way[] = ['query', 'prepared', 'cursor']

const CHANGES = /\b(INSERT|UPDATE|DELETE|REPLACE|INTO|LOCK IN SHARE|FOR UPDATE)\b/i
const STAYS =
  /\b(SET|PREPARE|HANDLER|TEMPORARY|USE|BACKUP|FLUSH|LOCK|LOCKS|GET_LOCK|RELEASE\w*|INTO|CALL|SIGNAL|DIAGNOSTICS|XA|remember_it|LAST_INSERT_ID|NEXTVAL|SETVAL|NEXT|PREVIOUS)\b|:=/i

export async function runAttack(
  wire: MysqlWire,
  { steps, chain }: Attack,
  { way, database }: { readonly way: Way; readonly database: string },
): Promise<Buffer> {
  const texts = steps.filter((step) => typeof step === 'string').join(';')
  const changes = CHANGES.test(texts)
  if (changes) await wire.query('START TRANSACTION')
  const replies: MysqlReply[] = []
  for (const step of steps) {
    const reply = await sent(wire, step, way)
    replies.push(reply)
    if (wire.ended || (chain === true && reply.error !== null)) break
  }
  if (!wire.ended) {
    if (changes) await wire.query('ROLLBACK')
    if (steps.length > 1 || STAYS.test(texts)) {
      await wire.command(COM.RESET_CONNECTION)
      await wire.command(COM.INIT_DB, Buffer.from(database))
    }
  }
  return Buffer.concat(replies.flatMap((reply, i) => shownBy(reply, steps[i])))
}

/**
 * Rows in no order where none was asked for: InnoDB reads the shortest index that has all columns, and what it
 * reads in the order of a masked column is not promised to be hidden.
 */
function shownBy({ packets, rows }: MysqlReply, step: Step | undefined): readonly Buffer[] {
  return typeof step !== 'string' || /\bORDER BY\b/i.test(step)
    ? packets
    : unordered({ packets, rows })
}

export function unordered({
  packets,
  rows,
}: Pick<MysqlReply, 'packets' | 'rows'>): readonly Buffer[] {
  const isRow = new Set(rows)
  const head = packets.filter((packet) => !isRow.has(packet))
  return [...head, ...[...rows].sort(Buffer.compare)]
}

async function sent(wire: MysqlWire, step: Step, way: Way): Promise<MysqlReply> {
  if (typeof step !== 'string') return wire.command(step.command, Buffer.from(step.body))
  if (way === 'query') return wire.query(step)
  const reply = await wire.execute(step, { cursor: way === 'cursor' })
  return {
    ...reply,
    packets: reply.packets.map((packet, i) => (i === 0 ? unnumbered(packet) : packet)),
  }
}

/** The answer to COM_STMT_PREPARE without the statement's number, which is another each time. */
function unnumbered(prepared: Buffer): Buffer {
  return prepared[0] === HEADER.ERR
    ? prepared
    : Buffer.concat([prepared.subarray(0, 1), prepared.subarray(5)])
}

export function mysqlArena(world: MysqlWorld): Arena<Attack, Way> {
  return {
    detector: world.detector,
    async connect(who, name) {
      const wire = await world.connect(who, name)
      return {
        get ended() {
          return wire.ended
        },
        run: (attack, way) =>
          runAttack(wire, named(attack, world.nameOf(name)), { way, database: world.nameOf(name) }),
        close: () => wire.close(),
      }
    },
    undo: (name, text) => world.sql(name, text),
    comparable(bytes, _attack, { who }) {
      // Hashes are of the values and differ with them.
      return who === 'hashed' ? '' : world.withoutNames(bytes)
    },
    failures: (bytes) =>
      [...bytes.toString('latin1').matchAll(/\xff(..)#([0-9A-Z]{5})/gs)]
        .map(([, errno = '']) => Buffer.from(errno, 'latin1').readUInt16LE())
        .join(),
  }
}

/** `{db}` is the database of the world. */
function named(attack: Attack, database: string): Attack {
  const steps = attack.steps.map((step) =>
    typeof step === 'string'
      ? step.replaceAll('{db}', database)
      : { ...step, body: step.body.replaceAll('{db}', database) },
  )
  return { ...attack, steps }
}
