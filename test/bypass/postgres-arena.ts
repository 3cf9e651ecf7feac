/** How attacks are sent to PostgreSQL worlds, and what of their answers must be the same in both. */
import type { Arena, CampaignOptions } from './campaign.ts'
import { type Attack, runAttack, type Way } from './run-attack.ts'
import type { World } from './world.ts'

export function postgresArena(world: World): Arena<Attack, Way> {
  return {
    detector: world.detector,
    async connect(who, name) {
      const wire = await world.connect(who, name)
      return {
        get ended() {
          return wire.ended
        },
        run: (attack, way) => runAttack(wire, attack, way),
        close: () => wire.close(),
      }
    },
    undo: (name, text) => world.sql(name, text),
    comparable,
    failures,
  }
}

/** Hashes are of the values, so they may differ; what they stand for may not. */
const HASH = /[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|-\d{4,}(\.\d+)?/g

/** Hashes in binary cells cannot be told from anything else: there is nothing to compare then. */
function comparable(bytes: Buffer, { steps }: Attack, { who, way }: CampaignOptions<Way>): string {
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
