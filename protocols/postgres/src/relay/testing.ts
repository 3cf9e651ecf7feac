/**
 * For this folder's tests: a small executable model of a PostgreSQL session (what the documentation says of
 * message flow, implicit transactions, skipping to Sync, names), a gatekeeper that decides by words in the
 * text, and a client and a server wired through a relay in memory, in any interleaving.
 *
 * Texts are commands of the model, split at `;` in a Query: `rows N`, `mask N` (rows with a secret), `insert X`,
 * `begin`, `commit`, `rollback`, `fail`, `bad` (does not parse), `empty`, `copyin`, `copybad`, `copytrigger`,
 * `set X` (a barrier), `wait rows N`, `limit N` (at most two rows), `hold N` (metered, and leave is asked for after two), `refuse`.
 */
import { type BackendMessage, encodeBackend } from '../backend.ts'
import { ProtocolError, SQLSTATE } from '../errors.ts'
import { FRONTEND, HEADER_BYTES } from '../frames.ts'
import { decodeFrontend, type FrontendMessage } from '../frontend.ts'
import {
  type Admission,
  ALONE,
  type Amount,
  type BeyondLimit,
  type ExecutionOutcome,
  type Gatekeeper,
  type NotYet,
  type Refusal,
  WAIT,
} from './gatekeeper.ts'
import { Relay } from './relay.ts'

const SECRET = 'secret'
const SHOWN = '*****'
const OWN_TEXT = 'statement refused by sallyport'
export const NONCE = 'nonce'
export const LIMIT_ROWS = 2

interface ModelStatement {
  readonly text: string
}
interface ModelPortal {
  readonly text: string
  readonly format: number
  sent: number
  done: boolean
  failed: boolean
}

class ModelError extends Error {
  readonly sqlstate: string
  constructor(sqlstate: string) {
    super(sqlstate)
    this.sqlstate = sqlstate
  }
}

/** The server. Bytes in, bytes out; output is held until it would be flushed. */
export class ModelServer {
  status: 'I' | 'T' | 'E' = 'I'
  readonly statements = new Map<string, ModelStatement>()
  readonly portals = new Map<string, ModelPortal>()
  committed: string[] = []
  /** Texts of every Query and Parse that got here. */
  readonly seen: string[] = []
  dead = false
  #pending: string[] = []
  #skipping = false
  #copy: {
    readonly text: string
    readonly simple: boolean
    readonly rest: readonly string[]
  } | null = null
  #held: BackendMessage[] = []
  #out: Buffer[] = []
  #input = Buffer.alloc(0)
  readonly #refuses: boolean

  /** `refuses`: it refuses by itself what the gatekeeper would, and counts rows as the relay would. */
  constructor(options: { readonly refuses: boolean }) {
    this.#refuses = options.refuses
  }

  receive(bytes: Buffer): void {
    this.#input = Buffer.concat([this.#input, bytes])
    while (this.#input.length >= 5 && !this.dead) {
      const end = 1 + this.#input.readUInt32BE(1)
      if (this.#input.length < end) return
      const type = this.#input[0] as number
      const frame = this.#input.subarray(0, end)
      this.#input = this.#input.subarray(end)
      this.#take(frame, type)
    }
  }

  /** What has been flushed so far. */
  takeOutput(): Buffer {
    const all = Buffer.concat(this.#out)
    this.#out = []
    return all
  }

  #say(message: BackendMessage): void {
    this.#held.push(message)
  }

  #flush(): void {
    for (const message of this.#held) this.#out.push(encodeBackend(message))
    this.#held = []
  }

  #take(frame: Buffer, type: number): void {
    const skipped = type !== FRONTEND.SYNC && type !== FRONTEND.TERMINATE
    if (this.#copy === null && this.#skipping && skipped) return
    try {
      const message = decodeFrontend(type, frame, HEADER_BYTES, frame.length)
      if (this.#copy !== null) return this.#inCopy(message)
      this.#dispatch(message)
    } catch (error) {
      if (!(error instanceof ModelError || error instanceof ProtocolError)) throw error
      this.#fail(error.sqlstate, type === FRONTEND.QUERY || type === FRONTEND.FUNCTION_CALL)
    }
  }

  #fail(sqlstate: string, simple: boolean): void {
    this.#say(errorOf(sqlstate))
    this.#abort()
    if (simple) this.#ready()
    else this.#skipping = true
    this.#flush()
  }

  #abort(): void {
    this.#pending = []
    if (this.status === 'I') this.portals.clear()
    else {
      this.status = 'E'
      for (const portal of this.portals.values()) portal.failed = true
    }
  }

  #dispatch(message: FrontendMessage): void {
    switch (message.kind) {
      case 'Query':
        return this.#query(message.text)
      case 'Parse':
        return this.#parse(message.statement, message.text)
      case 'Bind':
        return this.#bind(message.portal, message.statement, message.resultFormats[0] ?? 0)
      case 'Describe':
        return message.target === 'statement'
          ? this.#describe(this.#statement(message.name).text, true)
          : this.#describe(this.#portal(message.name).text, false)
      case 'Execute':
        return this.#execute(message.portal, message.maxRows)
      case 'Close':
        if (message.target === 'statement') this.statements.delete(message.name)
        else this.portals.delete(message.name)
        return this.#say({ kind: 'CloseComplete' })
      case 'Flush':
        return this.#flush()
      case 'Sync':
        this.#skipping = false
        this.#finish()
        return this.#ready()
      case 'FunctionCall':
        throw new ModelError('42883')
      default:
    }
  }

  #ready(): void {
    this.#say({ kind: 'ReadyForQuery', status: this.status })
    this.#flush()
  }

  /** End of an implicit transaction. */
  #finish(): void {
    if (this.status !== 'I') return
    this.#commit()
  }

  #commit(): void {
    this.committed.push(...this.#pending)
    this.#pending = []
    this.portals.clear()
  }

  #checkAborted(text: string): void {
    if (this.status === 'E' && !/^(commit|rollback)/.test(text)) throw new ModelError('25P02')
  }

  #see(text: string): void {
    this.seen.push(text)
    if (this.#refuses && isRefused(text)) throw new ModelError(SQLSTATE.INSUFFICIENT_PRIVILEGE)
    if (text === OWN_TEXT || text.split(';').includes('bad')) throw new ModelError('42601')
  }

  #query(text: string): void {
    this.statements.delete('')
    this.#see(text)
    this.#run(text.split(';'))
  }

  #run(texts: readonly string[]): void {
    for (const [i, text] of texts.entries()) {
      if (text === 'empty') {
        this.#command(text)
        continue
      }
      this.#checkAborted(text)
      // Left behind where it fails in a block.
      const portal = { text, format: 0, sent: 0, done: false, failed: false }
      this.portals.set('', portal)
      if (text.startsWith('copy')) return this.#beginCopy(text, true, texts.slice(i + 1))
      this.#describe(text, false, true)
      // Where the relay limits it, it has run to its end.
      if (this.#refuses && text.startsWith('limit')) this.portals.delete('')
      this.#rows(portal, 0)
      this.portals.delete('')
    }
    this.#finish()
    this.#ready()
  }

  #parse(name: string, text: string): void {
    if (name === '') this.statements.delete('')
    this.#see(text)
    this.#checkAborted(text)
    if (name !== '' && this.statements.has(name)) throw new ModelError('42P05')
    this.statements.set(name, { text })
    this.#say({ kind: 'ParseComplete' })
  }

  #statement(name: string): ModelStatement {
    const found = this.statements.get(name)
    if (found === undefined) throw new ModelError('26000')
    return found
  }

  #portal(name: string): ModelPortal {
    const found = this.portals.get(name)
    if (found === undefined) throw new ModelError('34000')
    return found
  }

  #bind(name: string, statement: string, format: number): void {
    const { text } = this.#statement(statement)
    this.#checkAborted(text)
    if (name !== '' && this.portals.has(name)) throw new ModelError('42P03')
    this.portals.set(name, { text, format, sent: 0, done: false, failed: false })
    this.#say({ kind: 'BindComplete' })
  }

  #describe(text: string, ofStatement: boolean, simple = false): void {
    const count = rowsOf(text)
    if (count !== null) this.#checkAborted(text)
    if (ofStatement) this.#say({ kind: 'ParameterDescription', typeOids: [] })
    if (count !== null) {
      const field = { name: text, tableOid: 0, columnAttribute: 0, typeOid: 25, typeLength: -1 }
      this.#say({ kind: 'RowDescription', fields: [{ ...field, typeModifier: -1, format: 0 }] })
    } else if (!simple) this.#say({ kind: 'NoData' })
  }

  #execute(name: string, maxRows: number): void {
    const portal = this.#portal(name)
    this.#checkAborted(portal.failed ? '' : portal.text)
    if (portal.failed) throw new ModelError('55000')
    if (portal.text.startsWith('copy')) {
      if (portal.done) throw new ModelError('55000')
      portal.done = true
      return this.#beginCopy(portal.text, false, [])
    }
    this.#rows(portal, maxRows)
  }

  #rows(portal: ModelPortal, maxRows: number): void {
    const { text } = portal
    const count = rowsOf(text)
    if (count === null) {
      if (portal.done) throw new ModelError('55000')
      portal.done = true
      return this.#command(text)
    }
    const cell = Buffer.from(`${text.startsWith('mask') ? SECRET : 'clear'} ${text}`)
    const first = portal.sent
    while (portal.sent < count && (maxRows === 0 || portal.sent - first < maxRows)) {
      if (this.#refuses && text.startsWith('limit') && portal.sent >= LIMIT_ROWS) {
        throw new ModelError(SQLSTATE.CONFIGURATION_LIMIT_EXCEEDED)
      }
      portal.sent++
      this.#say({ kind: 'DataRow', values: [cell] })
    }
    const sent = portal.sent - first
    if (maxRows > 0 && sent === maxRows) this.#say({ kind: 'PortalSuspended' })
    else this.#say({ kind: 'CommandComplete', tag: `SELECT ${sent}` })
  }

  #command(text: string): void {
    const complete = (tag: string): void => this.#say({ kind: 'CommandComplete', tag })
    const [word = '', argument = ''] = text.split(' ')
    switch (word) {
      case 'begin':
        if (this.status === 'I') this.status = 'T'
        return complete('BEGIN')
      case 'commit': {
        const failed = this.status === 'E'
        this.status = 'I'
        if (failed) this.portals.clear()
        else this.#commit()
        return complete(failed ? 'ROLLBACK' : 'COMMIT')
      }
      case 'rollback':
        this.status = 'I'
        this.#pending = []
        this.portals.clear()
        return complete('ROLLBACK')
      case 'insert':
      case 'set':
        this.#pending.push(`${word} ${argument}`)
        return complete(word === 'set' ? 'SET' : 'INSERT 0 1')
      case 'fail':
        throw new ModelError('22012')
      case 'empty':
        return this.#say({ kind: 'EmptyQueryResponse' })
      default:
        throw new ModelError('42601')
    }
  }

  #beginCopy(text: string, simple: boolean, rest: readonly string[]): void {
    this.#copy = { text, simple, rest }
    this.#say({ kind: 'CopyInResponse', format: 0, columnFormats: [0] })
    this.#flush()
    if (text === 'copytrigger') this.#endCopy('P0001')
  }

  #inCopy(message: FrontendMessage): void {
    const copy = this.#copy
    if (copy === null) return
    switch (message.kind) {
      case 'CopyData':
        if (copy.text === 'copybad') return this.#endCopy('22P04')
        this.#pending.push(`copied ${Buffer.from(message.data).toString()}`)
        return
      case 'CopyDone':
        return this.#endCopy(null)
      case 'CopyFail':
        return this.#endCopy('57014')
      case 'Sync':
      case 'Flush':
        return
      default:
        this.dead = true
    }
  }

  #endCopy(sqlstate: string | null): void {
    const copy = this.#copy
    this.#copy = null
    if (copy === null) return
    if (sqlstate !== null) return this.#fail(sqlstate, copy.simple)
    this.#say({ kind: 'CommandComplete', tag: 'COPY 1' })
    if (!copy.simple) return
    this.portals.delete('')
    try {
      this.#run(copy.rest)
    } catch (error) {
      if (!(error instanceof ModelError)) throw error
      this.#fail(error.sqlstate, true)
    }
  }
}

function rowsOf(text: string): number | null {
  const match = /^(?:wait |alone )?(?:rows|mask|limit|hold) (\d+)$/.exec(text)
  return match === null ? null : Number(match[1])
}

function isRefused(text: string): boolean {
  return text.split(';').includes('refuse')
}

function errorOf(sqlstate: string): BackendMessage {
  return { kind: 'ErrorResponse', fields: { severity: 'ERROR', sqlstate, message: sqlstate } }
}

const refusal = (sqlstate: string): Refusal => ({
  kind: 'refusal',
  error: encodeBackend(errorOf(sqlstate)),
})

/** What the relay asks for itself. */
const QUESTION = 'rows 2'

interface WordAdmission extends Admission {
  readonly text: string
}

/** Decides by the words of the text, and remembers what it was asked. */
export class WordGatekeeper implements Gatekeeper {
  readonly admitted = new Set<string>()
  /** Of COPY data: its format, and the pieces. */
  readonly sent: string[] = []
  readonly outcomes: ExecutionOutcome[] = []
  readonly started: number[] = []
  cancels = 0
  waiting = false
  readonly #answered = new Set<string>()
  /** Texts that are asked about alone have been so often. */
  alone = 0
  relay: Relay | null = null
  #next = 0

  decideText(via: string, _name: string, buf: Buffer, start: number, end: number) {
    const text = buf.toString('utf8', start, end)
    if (text.startsWith('wait') && !this.#answered.has(text)) {
      this.waiting = true
      this.#answered.add(text)
      return WAIT
    }
    if (isRefused(text)) return refusal(SQLSTATE.INSUFFICIENT_PRIVILEGE)
    if (via === 'query') {
      const notYet = this.#askAlone(text)
      if (notYet !== null) return notYet
    }
    this.admitted.add(text)
    const texts = text.split(';')
    const holds = texts.some((one) => one.startsWith('hold'))
    const limited = holds || texts.some((one) => one.startsWith('limit'))
    const admission: WordAdmission = {
      kind: 'admission',
      text,
      masked: texts.some((one) => one.startsWith('mask')),
      whole: false,
      described: texts.some((one) => one.startsWith('copyin')),
      returnsRows: true,
      barrier: texts.some((one) => one.startsWith('set')),
      epoch: 1,
      limit: limited
        ? {
            rows: LIMIT_ROWS,
            bytes: null,
            exceeded: holds ? 'hold' : 'refuse',
            readOnly: texts.length === 1,
            metered: holds,
          }
        : null,
    }
    return admission
  }
  decideBind(statement: { readonly admission: Admission }): Admission | NotYet {
    // Safe: every admission of this one has its text.
    const { text } = statement.admission as WordAdmission
    return this.#askAlone(text) ?? statement.admission
  }
  /** `alone …`: the server is asked something first, where that is possible. */
  #askAlone(text: string): NotYet | null {
    const { relay } = this
    if (!text.startsWith('alone') || relay === null) return null
    const asked = `${text} ${this.#next}`
    if (this.#answered.has(asked)) return null
    if (!relay.quiescent) return relay.canBeAlone ? ALONE : null
    this.#answered.add(asked)
    this.alone++
    this.admitted.add(QUESTION)
    relay.probe([{ text: QUESTION, types: null, bind: null }], ({ kind }) => {
      // A failed transaction answers nothing.
      if (kind === 'answers' || relay.transaction !== 0x49) relay.resume()
    })
    return WAIT
  }
  decideExecute(): number {
    return this.#start()
  }
  execution(): number {
    return this.#start()
  }
  #start(): number {
    this.started.push(++this.#next)
    return this.#next
  }
  decideFunctionCall(): Refusal {
    return refusal(SQLSTATE.INSUFFICIENT_PRIVILEGE)
  }
  preparedBySql(): undefined {
    return undefined
  }
  declaredBySql(): undefined {
    return undefined
  }
  nameTaken(): void {}
  noSuchStatement(): Refusal {
    return refusal(SQLSTATE.INVALID_SQL_STATEMENT_NAME)
  }
  noSuchPortal(): Refusal {
    return refusal(SQLSTATE.INVALID_CURSOR_NAME)
  }
  tooManyNames(): Refusal {
    return refusal(SQLSTATE.PROGRAM_LIMIT_EXCEEDED)
  }
  nameTooLong(): Refusal {
    return refusal(SQLSTATE.NAME_TOO_LONG)
  }
  malformed(): Refusal {
    return refusal(SQLSTATE.PROTOCOL_VIOLATION)
  }
  tooLong(): Refusal {
    return refusal(SQLSTATE.PROGRAM_LIMIT_EXCEEDED)
  }
  beyondLimit(_admission: Admission, execution: number, result: number): BeyondLimit {
    const asked = `beyond ${execution} ${result}`
    if (this.#answered.has(asked)) return 'go-on'
    this.#answered.add(asked)
    this.waiting = true
    return WAIT
  }
  meter(admission: Admission, wanted: Amount): Amount | typeof WAIT {
    const asked = `meter ${(admission as WordAdmission).text} ${this.#next} ${wanted.rows}`
    if (this.#answered.has(asked)) return wanted
    this.#answered.add(asked)
    this.waiting = true
    return WAIT
  }
  limitExceeded(): Refusal {
    return refusal(SQLSTATE.CONFIGURATION_LIMIT_EXCEEDED)
  }
  resultCut(): Buffer {
    return Buffer.alloc(0)
  }
  resultBegins(): void {}
  clientDataBegins(_admission: Admission, _result: number, format: string): void {
    this.sent.push(`${format}:`)
  }
  clientData(buf: Buffer, start: number, end: number): void {
    this.sent.push(buf.toString('latin1', start, end))
  }
  cancel(): void {
    this.cancels++
  }
  masksFor(admission: Admission, result: number) {
    const text = (admission as WordAdmission).text.split(';')[result] ?? ''
    if (!text.startsWith('mask')) return null
    return [
      (
        _src: Buffer,
        _start: number,
        _end: number,
        out: { buf: Buffer; at: number; ensure(n: number): void },
      ) => {
        out.ensure(SHOWN.length)
        out.at += out.buf.write(SHOWN, out.at, 'latin1')
        return SHOWN.length
      },
    ]
  }
  copyOut(): null {
    return null
  }
  outcome(outcome: ExecutionOutcome): void {
    this.outcomes.push(outcome)
  }
  failed(): void {}
  redactReport(): null {
    return null
  }
  notification(): null {
    return null
  }
  parameterStatus(): void {}
  ready(): void {}
}

/** A client and a server with a relay between them; bytes move only when told to. */
export class Pair {
  readonly gatekeeper = new WordGatekeeper()
  readonly server = new ModelServer({ refuses: false })
  readonly relay: Relay
  /** What the client has got. */
  readonly received: Buffer[] = []
  #toServer = Buffer.alloc(0)
  #fromClient = Buffer.alloc(0)
  #fromServer = Buffer.alloc(0)

  constructor(options: { readonly statementBytesMax?: number } = {}) {
    this.relay = new Relay(this.gatekeeper, {
      nonce: NONCE,
      statementBytesMax: options.statementBytesMax ?? 1_000_000,
    })
    this.gatekeeper.relay = this.relay
  }

  /** The client writes. */
  client(bytes: Buffer): void {
    this.#fromClient = Buffer.concat([this.#fromClient, bytes])
    this.#feedClient()
  }

  /** The server reads up to `count` bytes of what the relay sent; false: there was nothing. */
  serve(count: number): boolean {
    const taken = this.#toServer.subarray(0, count)
    this.#toServer = this.#toServer.subarray(taken.length)
    this.server.receive(taken)
    return taken.length > 0
  }

  /** The relay reads up to `count` bytes of what the server flushed; false: there was nothing. */
  answer(count: number): boolean {
    this.#fromServer = Buffer.concat([this.#fromServer, this.server.takeOutput()])
    if (this.#fromServer.length === 0) return false
    const bytes = Buffer.from(this.#fromServer.subarray(0, count + this.#kept))
    const at = this.relay.fromUpstream(bytes, 0, bytes.length)
    const whole = bytes.length === this.#fromServer.length
    const moved = at > 0 || !whole
    this.#kept = bytes.length - at
    this.#fromServer = this.#fromServer.subarray(at)
    this.#drain()
    this.#feedClient()
    return moved
  }
  /** Bytes of the server's output the relay has seen and not consumed. */
  #kept = 0

  /** The gatekeeper's waits and cancels come to an end. */
  settle(): boolean {
    let moved = false
    if (this.gatekeeper.waiting) {
      this.gatekeeper.waiting = false
      this.relay.resume()
      moved = true
    }
    if (this.gatekeeper.cancels > 0) {
      this.gatekeeper.cancels = 0
      this.relay.cancelled()
      moved = true
    }
    if (moved) this.#feedClient()
    return moved
  }

  /** Everything moves until nothing can; `chunk`: bytes at a time. */
  run(chunk = 1 << 20): void {
    let moved = true
    while (moved) {
      moved = this.settle()
      while (this.serve(chunk)) moved = true
      while (this.answer(chunk)) moved = true
    }
  }

  /** Bytes of the client the relay has not taken. */
  get unread(): number {
    return this.#fromClient.length
  }

  #feedClient(): void {
    const bytes = Buffer.from(this.#fromClient)
    const at = this.relay.fromClient(bytes, 0, bytes.length)
    this.#fromClient = this.#fromClient.subarray(at)
    this.#drain()
  }

  #drain(): void {
    const { toUpstream, toClient, sink } = this.relay
    const all = (queue: typeof toClient): Buffer[] =>
      queue.buffers.map((buf, i) => Buffer.from(buf.subarray(queue.starts[i], queue.ends[i])))
    this.#toServer = Buffer.concat([this.#toServer, ...all(toUpstream)])
    this.received.push(...all(toClient))
    toUpstream.clear()
    toClient.clear()
    sink.reset(false)
  }
}

/** Frame by frame, what matters of a reply stream: `1 2 D:clear E:42601 Z:I`. */
export function tell(bytes: Buffer): string[] {
  const words: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + bytes.readUInt32BE(at + 1)
    const type = String.fromCharCode(bytes[at] as number)
    const body = bytes.subarray(at + 5, end)
    if (type === 'D')
      words.push(
        `D:${body
          .subarray(6)
          .toString()
          .replace(new RegExp(`^${SECRET}.*`), SHOWN)}`,
      )
    else if (type === 'E') words.push(`E:${/C([0-9A-Z]{5})\0/.exec(body.toString('latin1'))?.[1]}`)
    else if (type === 'Z') words.push(`Z:${body.toString('latin1')}`)
    else if (type === 'C') words.push(`C:${body.subarray(0, -1).toString()}`)
    else words.push(type)
    at = end
  }
  return words
}

export { OWN_TEXT, SECRET }
