/** What the doctor finds, and how it is shown. A finding never holds a secret. */
import type { Cli } from '../context.ts'
import { counted } from '../numbers.ts'
import { type Style, styled } from '../output.ts'

export type Level = 'ok' | 'warn' | 'fail'

export interface Finding {
  /** Part of the installation: `configuration`, `listener 127.0.0.1:6432`, `connection crm`, … */
  readonly area: string
  readonly level: Level
  readonly message: string
  /** What to do; null when nothing needs doing. */
  readonly fix: string | null
}

/** Collects the findings of one area. */
export class Area {
  readonly name: string
  readonly findings: Finding[] = []

  constructor(name: string) {
    this.name = name
  }

  ok(message: string): void {
    this.#add('ok', message, null)
  }

  warn(message: string, fix: string): void {
    this.#add('warn', message, fix)
  }

  fail(message: string, fix: string): void {
    this.#add('fail', message, fix)
  }

  #add(level: Level, message: string, fix: string | null): void {
    this.findings.push({ area: this.name, level, message, fix })
  }
}

const STYLES: Readonly<Record<Level, Style>> = { ok: 'green', warn: 'yellow', fail: 'red' }

export function printArea({ name, findings }: Area, { out }: Cli): void {
  if (findings.length === 0) return
  out.line(styled('bold', name))
  for (const { level, message, fix } of findings) {
    out.line(['  ', styled(STYLES[level], level.padEnd(4)), '  ', message])
    if (fix !== null) out.line(['        ', styled('cyan', '→ '), fix])
  }
}

export function printSummary(findings: readonly Finding[], { out }: Cli): void {
  const count = (level: Level): number => findings.filter((one) => one.level === level).length
  const [failures, warnings] = [count('fail'), count('warn')]
  out.line()
  out.line([
    `${count('ok')} ok, `,
    warnings === 0 ? '0 warnings' : styled('yellow', counted(warnings, 'warning')),
    ', ',
    failures === 0 ? '0 failures' : styled('red', counted(failures, 'failure')),
  ])
}
