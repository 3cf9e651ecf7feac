import { sign } from 'node:crypto'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { canonicalJson } from './canonical.ts'
import { anchorToFile, decodeHead, HEADS_FILE } from './heads.ts'
import { loadSigningKey, type SigningKey } from './keys.ts'
import { openAuditLog } from './open.ts'
import { clockAt, publicKeyIn, temporaryDirectory, unsigned } from './testing.ts'
import { statement } from './testing-events.ts'
import { type VerifyReport, verifyLog } from './verify.ts'

let root: string
let directory: string

beforeEach(() => {
  root = temporaryDirectory()
  directory = join(root, 'log')
})

const heads = () => join(directory, HEADS_FILE)
const linesIn = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1)

function write(lines: readonly string[]): void {
  writeFileSync(heads(), lines.map((line) => `${line}\n`).join(''))
}

/** So many statements, a head behind each, in one life of the log. */
async function life(statements: number, segmentBytes = 1 << 20): Promise<void> {
  const anchor = anchorToFile(join(root, 'anchored.jsonl'))
  const { now } = clockAt()
  const log = await openAuditLog({ directory, now, segmentBytes, index: false, anchor })
  for (let n = 0; n < statements; n++) {
    log.append(statement())
    await log.signHead()
  }
  await log.close()
}

function verify(outside: boolean): Promise<VerifyReport> {
  const publicKeys = [publicKeyIn(directory)]
  return verifyLog(directory, {
    publicKeys,
    ...(outside && { heads: [join(root, 'anchored.jsonl')] }),
  })
}

const codes = async (outside: boolean): Promise<string[]> => [
  ...new Set((await verify(outside)).findings.map(({ code }) => code)),
]

/** Every way to remove, repeat and exchange lines: what is left. */
function* edits(lines: readonly string[]): Generator<readonly string[]> {
  for (const [at, line] of lines.entries()) {
    yield lines.toSpliced(at, 1)
    yield lines.toSpliced(at, 0, line)
    yield lines.slice(0, at)
    if (at > 0) yield lines.slice(at)
    for (let other = 0; other < at; other++) {
      yield lines.with(at, lines[other] ?? '').with(other, line)
    }
  }
}

describe('heads', () => {
  test.each([
    ['of one segment', 1 << 20],
    ['of many segments', 2_000],
  ])('%s cannot go, come twice or change places unnoticed', async (_, segmentBytes) => {
    await life(3, segmentBytes)
    await life(3, segmentBytes)
    expect(await codes(true)).toEqual([])
    const lines = linesIn(heads())
    expect(lines.length).toBeGreaterThan(1)
    for (const edited of edits(lines)) {
      write(edited)
      expect(await codes(true)).not.toEqual([])
    }
    rmSync(heads())
    expect(await codes(true)).toEqual(['head-missing'])
  })

  test('within are missed without heads kept elsewhere, too', async () => {
    await life(4)
    const lines = linesIn(heads())
    for (let at = 0; at < lines.length - 1; at++) {
      write(lines.toSpliced(at, 1))
      expect(await codes(false)).toEqual(['head-missing'])
    }
  })

  test('that footers name are missed without heads kept elsewhere, too', async () => {
    await life(12, 2_000)
    write([])
    expect(await codes(false)).toEqual(['head-missing'])
  })

  test('go on where a log was found, after a kill between the two writes of a head', async () => {
    await life(2)
    const lines = linesIn(heads())
    writeFileSync(heads(), `${lines.join('\n')}\n${lines[0]?.slice(0, 40)}`)
    await life(2)
    expect(await codes(true)).toEqual([])
  })

  test('begun anew do not follow the footers', async () => {
    await life(12, 2_000)
    rmSync(heads())
    await life(12, 2_000)
    expect(await codes(false)).toContain('head-missing')
  })

  test('are not missed while the log goes on being written', async () => {
    await life(4)
    const lines = linesIn(heads())
    write(lines.slice(0, -1))
    const options = { publicKeys: [publicKeyIn(directory)], live: true }
    const outside = [join(root, 'anchored.jsonl')]
    expect((await verifyLog(directory, { ...options, heads: outside })).findings).toEqual([])
    write(lines.toSpliced(1, 1))
    expect((await verifyLog(directory, options)).findings).toMatchObject([
      { code: 'head-missing', message: 'head 2 is missing', file: HEADS_FILE, line: 2 },
    ])
  })
})

describe('heads of before they were linked', () => {
  /** As the release before signed it. */
  function unlinked(line: string, key: SigningKey): string {
    const { heads: _, previous: __, ...content } = unsigned(decodeHead(line))
    const head = { ...content, v: 1, keyId: key.keyId }
    const bytes = Buffer.from(`sallyport-audit-head-v1\n${canonicalJson(head)}`)
    return canonicalJson({
      ...head,
      signature: sign(null, bytes, key.privateKey).toString('base64url'),
    })
  }

  beforeEach(async () => {
    await life(3)
    const key = loadSigningKey({ file: join(directory, 'signing-key.pem'), create: false })
    write(linesIn(heads()).map((line) => unlinked(line, key)))
    cpSync(heads(), join(root, 'anchored.jsonl'))
  })

  test('verify, and the log goes on from them with linked ones', async () => {
    expect(await codes(true)).toEqual([])
    await life(2)
    expect(linesIn(heads()).map((line) => decodeHead(line)?.v)).toEqual([1, 1, 1, 1, 1, 2, 2, 2, 2])
    expect(await codes(true)).toEqual([])
    expect(await verify(false)).toMatchObject({ ok: true, heads: 9 })
  })

  test('stand in front: the newest cannot go, nor any stand behind a linked one', async () => {
    await life(2)
    const lines = linesIn(heads())
    write(lines.toSpliced(4, 1))
    expect(await codes(false)).toEqual(['head-missing'])
    write([...lines, lines[4] ?? ''])
    expect(await codes(false)).not.toEqual([])
    write(lines.slice(5))
    expect(await codes(false)).toEqual(['head-missing'])
  })

  test('leave heads.jsonl with the others', async () => {
    await life(12, 2_000)
    expect(linesIn(heads()).every((line) => decodeHead(line)?.v === 2)).toBe(true)
    expect(await codes(true)).toEqual([])
  })
})
