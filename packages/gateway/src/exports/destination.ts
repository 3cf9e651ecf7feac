/** What an export's `to` names: a URL of HTTP, or `syslog+tls://host:port`, `syslog://host:port`, `syslog+udp://host:port`. */

import type { Sink } from './sink.ts'
import { SyslogDatagramSink, SyslogSink } from './syslog.ts'
import { WebhookSink } from './webhook.ts'

/** RFC 5425 §4.1; RFC 6587 names none, and 601 is registered for syslog over TCP; RFC 5426 §3.3. */
const PORTS = { 'syslog+tls:': 6514, 'syslog:': 601, 'syslog+udp:': 514 } as const

export interface Destination {
  readonly to: string
  /** PEM; null: the system's authorities. Of syslog over TLS. */
  readonly ca: string | null
  /** Value of the `Authorization` header; null: none. Of HTTP. */
  readonly authorization: string | null
}

/** Null: it names nothing that records may go to. Only this machine gets them in clear. */
export function sinkFor({ to, ca, authorization }: Destination): Sink | null {
  const url = URL.parse(to)
  if (url === null) return null
  if (isHttpDestination(to)) return new WebhookSink({ url: to, authorization })
  switch (url.protocol) {
    case 'syslog:':
    case 'syslog+udp:':
    case 'syslog+tls:': {
      const tls = url.protocol === 'syslog+tls:'
      if (url.hostname === '' || (!tls && !isHere(url))) return null
      const host = url.hostname.replace(/^\[|\]$/g, '')
      const port = Number(url.port) || PORTS[url.protocol]
      if (url.protocol === 'syslog+udp:') return new SyslogDatagramSink({ host, port })
      return new SyslogSink({ host, port, tls, ca })
    }
    default:
      return null
  }
}

/** HTTPS, or HTTP to this machine. */
export function isHttpDestination(to: string): boolean {
  const url = URL.parse(to)
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && isHere(url))
}

const isHere = ({ hostname }: URL): boolean =>
  ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)
