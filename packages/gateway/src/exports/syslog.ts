/**
 * An export to a syslog receiver: RFC 5424 messages, octet-counted (RFC 6587 §3.4.1) over TCP or TLS (RFC 5425), or one
 * a datagram over UDP (RFC 5426).
 *
 * Syslog acknowledges nothing. A batch counts as sent when the system has taken all of it; what it had and the receiver
 * did not read when either died is lost. Of a connection that breaks, the whole batch is sent again.
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { connect, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { connect as connectTls } from 'node:tls'
import type { AuditRecord } from '@sallyport/audit'
import type { Message, Sink } from './sink.ts'

/** Reaching the receiver, and its taking of a batch, ms. */
const CONNECT_MS_MAX = 10_000
const SEND_MS_MAX = 30_000
/** RFC 5424 §6.2.1: log audit. */
const FACILITY = 13
const [CRITICAL, WARNING, NOTICE, INFORMATIONAL] = [2, 4, 5, 6]

/** RFC 5426 §3.2: what fits a datagram of IPv4 and IPv6 alike; the rest of a longer message is cut off. */
const DATAGRAM_BYTES_MAX = 65_000

export interface SyslogOptions {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** PEM of the authorities that may vouch for the receiver; null: the system's. */
  readonly ca: string | null
}

/**
 * One message a datagram (RFC 5426), on this machine alone. Nothing tells what was lost, but that nobody listens: then
 * a batch fails and is sent again.
 */
export class SyslogDatagramSink implements Sink {
  readonly name: string
  readonly #address: Pick<SyslogOptions, 'host' | 'port'>
  #socket: DatagramSocket | null = null

  constructor(address: Pick<SyslogOptions, 'host' | 'port'>) {
    this.name = `${address.host}:${address.port}`
    this.#address = address
  }

  async send(messages: readonly Message[]): Promise<void> {
    const socket = this.#socket ?? (await this.#connect())
    this.#socket = socket
    try {
      // One after the other: a refusal of one is told by the next.
      for (const message of messages) await this.#sent(socket, textOf(message))
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    this.#socket?.close()
    this.#socket = null
  }

  async #connect(): Promise<DatagramSocket> {
    const { host, port } = this.#address
    const { address, family } = await lookup(host)
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
    // Told by the next send.
    socket.on('error', () => {})
    await new Promise<void>((resolve) => socket.connect(port, address, resolve))
    return socket
  }

  #sent(socket: DatagramSocket, text: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const datagram = text.subarray(0, DATAGRAM_BYTES_MAX)
      socket.send(datagram, (error) => (error ? reject(error) : resolve()))
    })
  }
}

export class SyslogSink implements Sink {
  readonly name: string
  readonly #options: SyslogOptions
  #socket: Socket | null = null

  constructor(options: SyslogOptions) {
    this.name = `${options.host}:${options.port}`
    this.#options = options
  }

  async send(messages: readonly Message[]): Promise<void> {
    const socket = this.#socket ?? (await this.#connect())
    this.#socket = socket
    const bytes = Buffer.concat(messages.map(frame))
    try {
      await written(socket, bytes)
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = null
  }

  #connect(): Promise<Socket> {
    const { host, port, tls, ca } = this.#options
    return new Promise((resolve, reject) => {
      const options = { host, port, servername: host, ...(ca !== null && { ca }) }
      const socket = tls ? connectTls(options) : connect({ host, port })
      const failed = (error: Error): void => {
        socket.destroy()
        reject(error)
      }
      const late = setTimeout(() => failed(timeout()), CONNECT_MS_MAX)
      socket.once('error', failed)
      socket.once(tls ? 'secureConnect' : 'connect', () => {
        clearTimeout(late)
        socket.off('error', failed)
        // Nobody may be sending when it breaks; the next batch then finds it gone.
        socket.on('error', () => {})
        socket.once('close', () => {
          if (this.#socket === socket) this.#socket = null
        })
        // Receivers say nothing; what they say anyway is not to fill memory.
        socket.resume()
        socket.setKeepAlive(true)
        resolve(socket)
      })
      socket.once('close', () => clearTimeout(late))
    })
  }
}

function written(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(timeout()), SEND_MS_MAX)
    const closed = (): void => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' }))
    socket.once('close', closed)
    socket.write(bytes, (error) => {
      clearTimeout(late)
      socket.off('close', closed)
      if (error) reject(error)
      else resolve()
    })
  })
}

function timeout(): Error {
  return Object.assign(new Error('too late'), { code: 'ETIMEDOUT' })
}

/** `LENGTH SP MESSAGE`. */
function frame(of: Message): Buffer {
  const message = textOf(of)
  return Buffer.concat([Buffer.from(`${message.length} `), message])
}

function textOf({ record, line }: Message): Buffer {
  return Buffer.from(`${headerOf(record)} ${line}`)
}

/** `<PRI>1 TIMESTAMP HOST APP PROCID MSGID -`: RFC 5424 §6.2, without structured data. */
export function headerOf({ at, event }: AuditRecord): string {
  const time = new Date(at).toISOString()
  const type = /^[\x21-\x7e]{1,32}$/.test(event.type) ? event.type : '-'
  return `<${FACILITY * 8 + severityOf(event)}>1 ${time} ${HOST} sallyport ${process.pid} ${type} -`
}

const HOST = /^[\x21-\x7e]{1,255}$/.test(hostname()) ? hostname() : '-'

function severityOf(event: AuditRecord['event']): number {
  switch (event.type) {
    case 'log-failed':
      return CRITICAL
    case 'log-recovered':
    case 'anchor-failed':
    case 'export-failed':
    case 'policy-rejected':
      return WARNING
    case 'statement':
      return event['verdict'] === 'deny' ? NOTICE : INFORMATIONAL
    case 'authentication':
      return event['outcome'] === 'refused' ? NOTICE : INFORMATIONAL
    default:
      return INFORMATIONAL
  }
}
