/**
 * Results larger than any memory, on every server, under masks: a million rows pass in constant memory, and a reader
 * that reads nothing costs what the sockets' windows and one chunk each way hold, not the result.
 */
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { COM, encodePacket } from '@sallyport/protocol-mysql'
import { encodeFrontend } from '@sallyport/protocol-postgres'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { MysqlWire } from '../support/mysql-wire.ts'
import { findMysql, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { WireClient } from '../support/wire.ts'

const POLICY = `version: 1
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'] } }]
masks: [{ columns: ['*.*.secret'], with: redact }]`

/** Rows of the table; each result is of all pairs. */
const ROWS = 1_000
const RESULT_ROWS = ROWS * ROWS
const PAD = 'x'.repeat(80)
const STALLED = 12
/** What a stalled reader may cost, bytes. */
const STALLED_BYTES_MAX = 512 * 1024
/** While a result passes, the live memory is looked at so often, bytes, */
const LOOK_BYTES = 10_000_000
/** and may grow by so much after the first look, bytes: what is compiled and grown once, a third of the result. */
const PASSING_BYTES_MAX = 32 * 1024 * 1024
const SETTLE_MS_MAX = 30_000

const ALL = 'SELECT a.pad, b.secret FROM rows_of a CROSS JOIN rows_of b'
/** `[redacted]` beside the pad, and how each protocol packs a row of two. */
const ROW_BYTES = {
  postgres: 5 + 2 + 4 + PAD.length + 4 + '[redacted]'.length,
  mysql: 4 + 1 + PAD.length + 1 + '[redacted]'.length,
}

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** What is alive in this process, the gateway's buffers included, without what WebAssembly has for good; bytes. */
function alive(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

describe.each(['postgres', 'mariadb', 'mysql'] as const)('large results of %s', async (server) => {
  const found = server === 'postgres' ? null : await findMysql(server)
  if (found !== null && 'unavailable' in found) {
    test.skip(found.unavailable, () => undefined)
    return
  }
  let database: TestDatabase | TestMysqlDatabase
  let gateway: TestGateway
  const sockets: Socket[] = []
  const sql = (text: string): Promise<Record<string, unknown>[]> =>
    'flavour' in database ? database.sql(text) : database.sql(text)

  beforeAll(async () => {
    database = server === 'postgres' ? await usePostgres() : await useMysql(server)
    await sql('CREATE TABLE rows_of (pad varchar(80), secret varchar(20))')
    const values = Array.from({ length: ROWS }, (_, i) => `('${PAD}', 'secret ${i}')`)
    await sql(`INSERT INTO rows_of VALUES ${values.join(', ')}`)
    gateway = await startTestGateway({
      upstream: database,
      database: database.database,
      via: 'tcp',
      policies: [POLICY],
    })
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await expect.poll(sessions, { timeout: SETTLE_MS_MAX }).toBe(0)
  })
  afterAll(async () => {
    await gateway?.close()
    await database?.drop()
  })

  /** Logs in; what comes afterwards is the caller's to read. */
  async function connect(): Promise<Socket> {
    const { host, plainPort: port, connection } = gateway
    const login = { host, port, user: 'tester', database: connection }
    const password = await gateway.token()
    const client = server === 'postgres' ? WireClient : MysqlWire
    const { socket } = await client.connect({ ...login, password })
    sockets.push(socket)
    // What reads the login lets go of the socket in a later turn.
    await nextTurn()
    return socket.removeAllListeners('data').pause()
  }

  function ask(socket: Socket, text: string): void {
    socket.write(
      server === 'postgres'
        ? encodeFrontend({ kind: 'Query', text })
        : encodePacket(0, Buffer.of(COM.QUERY, ...Buffer.from(text))),
    )
  }

  test('a million rows pass in constant memory', async () => {
    const socket = await connect()
    ask(socket, ALL)
    const wanted = ROW_BYTES[server === 'postgres' ? 'postgres' : 'mysql'] * RESULT_ROWS
    const lives: number[] = []
    let came = 0
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      came += (chunk as Buffer).length
      if (came > (lives.length + 1) * LOOK_BYTES) lives.push(alive())
      if (came >= wanted) break
    }
    // Besides rows there are only the description and the end.
    expect(came).toBeLessThan(wanted + 1_000)
    expect(lives.length).toBeGreaterThan(8)
    expect(Math.max(...lives) - (lives[0] ?? 0)).toBeLessThan(PASSING_BYTES_MAX)
  }, 120_000)

  test(`a stalled reader costs no more than ${STALLED_BYTES_MAX / 1024} KiB`, async () => {
    const readers: Socket[] = []
    for (let i = 0; i < STALLED; i++) readers.push(await connect())
    const before = alive()
    for (const reader of readers) ask(reader, ALL)
    // Only when the server waits has the gateway taken all it is going to take.
    await expect.poll(waiting, { timeout: SETTLE_MS_MAX }).toBe(STALLED)
    await expect
      .poll(() => (alive() - before) / STALLED, { timeout: SETTLE_MS_MAX })
      .toBeLessThan(STALLED_BYTES_MAX)
    expect(await waiting()).toBe(STALLED)
  }, 60_000)

  /** How many of the server's sessions wait for their client to read. */
  const waiting = (): Promise<number> =>
    sessionsWhere(
      server === 'postgres'
        ? `wait_event = 'ClientWrite'`
        : `state IN ('Sending to client', 'Writing to net')`,
    )

  const sessions = (): Promise<number> =>
    sessionsWhere(`LEFT(${server === 'postgres' ? 'query' : 'info'}, 8) = 'SELECT a'`)

  async function sessionsWhere(condition: string): Promise<number> {
    const from =
      server === 'postgres'
        ? `pg_stat_activity WHERE state = 'active' AND datname = current_database()`
        : 'information_schema.processlist WHERE db = DATABASE()'
    return (await sql(`SELECT 1 FROM ${from} AND ${condition}`)).length
  }
})
