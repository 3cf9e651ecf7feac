/**
 * Plays steps in their own time, or faster. On a terminal keys steer it: space pauses, n or enter steps,
 * + and - change the speed, / searches on, q ends. What is longer than the screen stops at its end.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Cli } from '../context.ts'
import type { Text } from '../output.ts'
import type { Step } from './steps.ts'

/** The longest a timer waits. */
const TIMER_MS_MAX = 2 ** 31 - 1

const LEGEND = 'space pauses, n steps, + and - change the speed, / searches, q ends'

/** A wait is never longer than this, however long nothing happened, ms; --idle says otherwise. */
export const IDLE_MS_DEFAULT = 2_000

export interface PlayOptions {
  /** 1: as it was; null: without waiting. */
  readonly speed: number | null
  readonly idleMs: number
  readonly render: (step: Step) => readonly Text[]
  readonly cli: Cli
}

type Mode =
  | { readonly kind: 'playing' }
  | { readonly kind: 'paused' }
  /** Steps pass at once until one holds the words. */
  | { readonly kind: 'seeking'; readonly words: string }

export async function play(steps: AsyncIterable<Step>, options: PlayOptions): Promise<void> {
  const { cli, render } = options
  const keys = options.speed === null ? null : new Keys(cli, options.speed)
  if (keys?.usable === true) cli.out.note(LEGEND)
  let before: number | null = null
  try {
    for await (const step of steps) {
      if (keys !== null && before !== null) {
        const due = Math.min(Math.max(step.at - before, 0), options.idleMs)
        if (!(await keys.wait(due, textOf(step)))) return
      }
      before = step.at
      if (!(await print(render(step), keys, cli))) return
    }
  } finally {
    keys?.close()
  }
}

/** Screen by screen, where there is one and somebody at it. False: the viewer has had enough. */
async function print(lines: readonly Text[], keys: Keys | null, { out }: Cli): Promise<boolean> {
  const page = Math.max((out.height ?? Number.POSITIVE_INFINITY) - 1, 1)
  for (const [i, line] of lines.entries()) {
    if (i > 0 && i % page === 0 && keys !== null && !(await keys.more(lines.length - i))) {
      return false
    }
    out.line(line)
  }
  return true
}

/** What a search looks at. */
function textOf(step: Step): string {
  switch (step.kind) {
    case 'statement':
      return step.statement.sql
    case 'result': {
      const { rows, report } = step.result
      return `${rows.map((row) => row.join(' ')).join('\n')} ${report?.message ?? ''}`
    }
    case 'notice':
      return step.report.message
    case 'record':
      return JSON.stringify(step.record.event)
  }
}

interface RawInput {
  setRawMode(on: boolean): void
  on(event: 'data', listener: (data: Uint8Array | string) => void): void
  off(event: 'data', listener: (data: Uint8Array | string) => void): void
  resume(): void
  pause(): void
}

class Keys {
  readonly #cli: Cli
  readonly #input: RawInput | null
  #speed: number
  #mode: Mode = { kind: 'playing' }
  #ended = false
  #typed: string | null = null
  /** Goes on to the next screen; null: nothing waits for that. */
  #turn: (() => void) | null = null
  /** Of what is being shown the rest comes without stopping. */
  #whole = false
  #wake = new AbortController()

  constructor(cli: Cli, speed: number) {
    this.#cli = cli
    this.#speed = speed
    // Safe: a terminal's standard input has these; anything else lacks setRawMode.
    const input = cli.stdin as unknown as Partial<RawInput>
    const usable = cli.stdin.isTTY === true && typeof input.setRawMode === 'function'
    this.#input = usable ? (input as RawInput) : null
    this.#input?.setRawMode(true)
    this.#input?.on('data', this.#hear)
    this.#input?.resume()
    cli.stop.addEventListener('abort', () => this.#end(), { once: true })
  }

  /** Until the next step is due. False: the viewer has had enough. */
  async wait(ms: number, next: string): Promise<boolean> {
    this.#whole = false
    let left = ms
    while (!this.#ended) {
      if (this.#mode.kind === 'seeking') {
        if (!next.toLowerCase().includes(this.#mode.words)) return true
        this.#mode = { kind: 'paused' }
        return true
      }
      const wake = new AbortController()
      this.#wake = wake
      const started = performance.now()
      const isPaused = this.#mode.kind === 'paused'
      const due = isPaused ? TIMER_MS_MAX : left / this.#speed
      const passed = await pause(Math.min(due, TIMER_MS_MAX), true, { signal: wake.signal }).catch(
        () => false,
      )
      if (passed && this.#mode.kind === 'playing') return true
      if (wake.signal.reason === 'step') return true
      // A pause takes nothing off what is left to wait.
      if (!isPaused) left = Math.max(left - (performance.now() - started) * this.#speed, 0)
    }
    return false
  }

  get usable(): boolean {
    return this.#input !== null
  }

  /** Until the next screen is wanted. False: the viewer has had enough. */
  async more(lines: number): Promise<boolean> {
    if (this.#input === null || this.#mode.kind === 'seeking' || this.#whole) return !this.#ended
    this.#cli.out.note(`-- ${lines} lines more: space goes on, a shows all, q ends --`)
    await new Promise<void>((resolve) => {
      this.#turn = resolve
    })
    this.#turn = null
    return !this.#ended
  }

  close(): void {
    this.#input?.off('data', this.#hear)
    this.#input?.setRawMode(false)
    this.#input?.pause()
  }

  readonly #hear = (data: Uint8Array | string): void => {
    for (const key of typeof data === 'string' ? data : Buffer.from(data).toString('utf8')) {
      this.#key(key)
    }
  }

  #key(key: string): void {
    if (this.#typed !== null) return this.#type(key)
    if (this.#turn !== null && key !== 'q' && key !== '\u0003') {
      this.#whole = key === 'a'
      return this.#turn()
    }
    switch (key) {
      case ' ':
        this.#mode = { kind: this.#mode.kind === 'paused' ? 'playing' : 'paused' }
        return this.#wake.abort('changed')
      case 'n':
      case '\r':
        this.#mode = { kind: 'paused' }
        return this.#wake.abort('step')
      case '+':
        this.#speed *= 2
        return this.#wake.abort('changed')
      case '-':
        this.#speed /= 2
        return this.#wake.abort('changed')
      case '/':
        this.#typed = ''
        this.#cli.out.note('search (enter goes there):')
        return
      case 'q':
      case '\u0003':
        return this.#end()
      default:
        return
    }
  }

  #type(key: string): void {
    if (key !== '\r') {
      this.#typed = key === '\u007f' ? (this.#typed ?? '').slice(0, -1) : `${this.#typed}${key}`
      return
    }
    this.#mode = { kind: 'seeking', words: (this.#typed ?? '').toLowerCase() }
    this.#typed = null
    this.#wake.abort('changed')
  }

  #end(): void {
    this.#ended = true
    this.#turn?.()
    this.#wake.abort('ended')
  }
}
