import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { Cli } from '../context.ts'
import { Output } from '../output.ts'
import { csvOf } from './formats.ts'
import { play } from './player.ts'
import type { Step } from './steps.ts'

/** A terminal whose keys are pressed by the test: each once so many steps have been shown. */
function terminal(presses: readonly (readonly [shown: number, key: string])[]) {
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
    write: (text: string) => {
      lines.push(text.trim())
      press()
    },
  }
  const out = new Output({ stdout, stderr: { write: () => {} }, env: {} })
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
  expect(csvOf({ at: 0, kind: 'result', statement: 1, result })).toBe(
    'a,"b ""c"""\r\n,""\r\n"x,y","line\nline"\r\n',
  )
})
