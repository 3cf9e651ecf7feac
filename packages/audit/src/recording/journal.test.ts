import { randomBytes } from 'node:crypto'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../testing.ts'
import { FRAME_KIND } from './frames.ts'
import { journalBuffer, journalPath } from './journal.ts'
import { JournalReader } from './journal-reader.ts'
import { JournalWriter } from './journal-writer.ts'
import { wrappingKey } from './keys.ts'

const WRAPPING = wrappingKey(Buffer.alloc(32, 1))
const PAYLOADS = [
  ['ann', [randomBytes(10)]],
  ['bob', [randomBytes(0), randomBytes(700)]],
  ['ann', [randomBytes(3_000)]],
] as const

const TEXTS = PAYLOADS.map(([session, payloads]) =>
  payloads.map((payload) => `${session} ${payload.toString('hex')}`),
)

/** A batch of each line of PAYLOADS, the last of each written from where it lies; where each batch ends. */
function written(directory: string, wrapping: typeof WRAPPING | null): number[] {
  const buffer = journalBuffer()
  const writer = new JournalWriter({ directory, journal: 1, wrapping, buffer })
  const numbers = new Map<string, number>()
  const ends = [writer.bytes]
  for (const [session, payloads] of PAYLOADS) {
    const number = numbers.get(session) ?? writer.name(Buffer.from(session))
    numbers.set(session, number)
    for (const payload of payloads.slice(0, -1)) {
      payload.copy(buffer, writer.entry(number, FRAME_KIND.output, 1, payload.length))
    }
    writer.flushWith(number, FRAME_KIND.output, 1, payloads.at(-1) ?? Buffer.alloc(0))
    ends.push(writer.bytes)
  }
  writer.close()
  return ends
}

function read(directory: string, bytes: number | null = null): string[] {
  const journal = new JournalReader(directory, [WRAPPING]).read({ journal: 1, bytes })
  const texts: string[] = []
  journal.eachFrame((session, _kind, start, end) => {
    texts.push(`${session} ${journal.memory.toString('hex', start + 13, end)}`)
  })
  return texts
}

test.each([
  ['in clear', null],
  ['encrypted', WRAPPING],
])('a journal %s gives back its entries, up to where it was cut', (_name, wrapping) => {
  const directory = temporaryDirectory()
  const ends = written(directory, wrapping)
  expect(read(directory, ends.at(-1))).toEqual(TEXTS.flat())
  for (let size = ends.at(-1) ?? 0; size >= 0; size -= size % 7 === 0 ? 13 : 1) {
    truncateSync(journalPath(directory, 1), size)
    const whole = ends.filter((end) => end <= size).length - 1
    const found = read(directory)
    // What was written with a batch of its own stands in front of it.
    expect(found.length).toBeGreaterThanOrEqual(TEXTS.slice(0, Math.max(whole, 0)).flat().length)
    expect(found).toEqual(TEXTS.flat().slice(0, found.length))
  }
})

test('a batch of which a sector did not reach the disk is none, nor is what follows', () => {
  const directory = temporaryDirectory()
  const [, , second = 0, third = 0] = written(directory, null)
  const file = journalPath(directory, 1)
  const content = readFileSync(file)
  const sector = Math.ceil((second + 30) / 512) * 512
  expect(sector + 512).toBeLessThan(third)
  content.fill(0, sector, sector + 512)
  writeFileSync(file, content)
  expect(read(directory)).toEqual(TEXTS.slice(0, 2).flat())
})

test('a journal of another release is refused, not taken for an empty one', () => {
  const directory = temporaryDirectory()
  writeFileSync(journalPath(directory, 1), 'SPJ2 and what it holds')
  expect(() => read(directory)).toThrow(expect.objectContaining({ code: 'corrupt' }))
})
