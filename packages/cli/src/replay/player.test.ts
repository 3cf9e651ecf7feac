import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { Cli } from '../context.ts'
import { Output } from '../output.ts'
import { widthOf } from '../width.ts'
import { csvOf } from './formats.ts'
import { play } from './player.ts'
import { linesOf } from './screen.ts'
import type { Step } from './steps.ts'

/** A terminal whose keys are pressed by the test: each once so many steps have been shown. */
function terminal(presses: readonly (readonly [shown: number, key: string])[], rows?: number) {
  const lines: string[] = []
  const left = [...presses]
  const stdin = Object.assign(new EventEmitter(), {
    isTTY: true,
    setRawMode: () => {},
    resume: () => {},
    pause: () => {},
  })
  const press = () => {
    while (left[0] !== undefined && left[0][0] <= lines.length) {
      const [, key] = left.shift() ?? [0, '']
      setImmediate(() => stdin.emit('data', key))
    }
  }
  const stdout = {
    isTTY: true,
    rows,
    write: (text: string) => {
      lines.push(text.trim())
      press()
    },
  }
  const out = new Output({ stdout, stderr: { write: () => {} }, env: { NO_COLOR: '1' } })
  // Safe: the player uses no more of it.
  const cli = { out, stdin, stop: new AbortController().signal } as unknown as Cli
  return { cli, lines }
}

async function* stepsAt(...times: readonly number[]): AsyncGenerator<Step> {
  for (const at of times) {
    const report = {
      severity: 'NOTICE',
      sqlstate: '00000',
      message: `m${at}`,
      detail: null,
      hint: null,
    }
    yield { at, kind: 'notice', report }
  }
}

const render = (step: Step) => [step.kind === 'notice' ? step.report.message : '']

describe('the player', () => {
  test('shows every step, and waits no longer than the cap', async () => {
    const { cli, lines } = terminal([])
    await play(stepsAt(0, 5, 86_400_000), { speed: 1, idleMs: 5, render, cli })
    expect(lines).toEqual(['m0', 'm5', 'm86400000'])
  })

  test('ends with q', async () => {
    const { cli, lines } = terminal([[1, 'q']])
    await play(stepsAt(0, 60_000), { speed: 1, idleMs: 60_000, render, cli })
    expect(lines).toEqual(['m0'])
  })

  test('steps with n while it would still be waiting', async () => {
    const keys = [
      [1, 'n'],
      [2, 'n'],
      [3, 'q'],
    ] as const
    const { cli, lines } = terminal(keys)
    await play(stepsAt(0, 60_000, 120_000, 180_000), { speed: 1, idleMs: 60_000, render, cli })
    expect(lines).toEqual(['m0', 'm60000', 'm120000'])
  })

  test('goes on at once to what is searched for, and stops there', async () => {
    const { cli, lines } = terminal([
      [1, '/M3\r'],
      [4, 'q'],
    ])
    await play(stepsAt(0, 10_000, 20_000, 30_000, 40_000), {
      speed: 1,
      idleMs: 60_000,
      render,
      cli,
    })
    expect(lines.at(-1)).toBe('m30000')
  })
})

describe('what is longer than the screen', () => {
  const long = () => Array.from({ length: 9 }, (_, i) => `line ${i}`)

  test('stops at its end, and goes on with a key', async () => {
    const { cli, lines } = terminal(
      [
        [3, ' '],
        [6, 'a'],
      ],
      4,
    )
    await play(stepsAt(0), { speed: 1, idleMs: 5, render: long, cli })
    expect(lines).toEqual(long())
  })

  test('ends there with q', async () => {
    const { cli, lines } = terminal([[3, 'q']], 4)
    await play(stepsAt(0, 5), { speed: 1, idleMs: 5, render: long, cli })
    expect(lines).toEqual(long().slice(0, 3))
  })
})

describe('tables', () => {
  const drawn = (columns: readonly string[], row: readonly (string | null)[], width: number) => {
    const result = {
      columns: columns.map((name) => ({ name, type: 25 })),
      rows: [row],
      copied: Buffer.alloc(0),
      sent: Buffer.alloc(0),
      missing: 0,
      tag: null,
      report: null,
    }
    let text = ''
    const stdout = { write: (part: string) => (text += part) }
    const out = new Output({ stdout, stderr: stdout, env: {} })
    const step: Step = { at: 0, kind: 'result', statement: 1, result, ms: null }
    for (const line of linesOf(step, { width, rows: 50 })) out.line(line)
    return text.trimEnd().split('\n')
  }

  test('stand straight whatever is in them', () => {
    const lines = drawn(['名前', 'b'], ['日本e\u0301', null], 80)
    expect(new Set(lines.map(widthOf)).size).toBe(1)
    expect(lines[3]).toBe('│ 日本e\u0301 │ ∅ │')
  })

  test('fit the screen: long values are cut, many columns stand one below the other', () => {
    const lines = drawn(['a', 'b'], ['x'.repeat(500), '\\x00ff'], 40)
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(40)
    expect(lines[3]).toContain('…')
    const names = Array.from({ length: 20 }, (_, i) => `column_${i}`)
    const records = drawn(names, names, 40)
    expect(Math.max(...records.map(widthOf))).toBeLessThanOrEqual(40)
    expect(records).toContain('column_19 │ column_19')
  })
})

test('CSV tells null from the empty text and quotes what needs it', () => {
  const columns = ['a', 'b "c"'].map((name) => ({ name, type: 25 }))
  const rows = [
    [null, ''],
    ['x,y', 'line\nline'],
  ]
  const result = {
    columns,
    rows,
    copied: Buffer.alloc(0),
    sent: Buffer.alloc(0),
    missing: 0,
    tag: '',
    report: null,
  }
  expect(csvOf({ at: 0, kind: 'result', statement: 1, result, ms: null })).toBe(
    'a,"b ""c"""\r\n,""\r\n"x,y","line\nline"\r\n',
  )
})
