import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonLine, jsonText, Output, safe, styled } from './output.ts'

function recorder(options: { tty?: boolean; columns?: number; env?: Record<string, string> } = {}) {
  const written = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr') => ({
    isTTY: options.tty ?? false,
    columns: options.columns,
    write: (text: string) => {
      written[name] += text
    },
  })
  const out = new Output({
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    env: options.env ?? {},
  })
  return { out, written }
}

test('colours appear on a terminal only', () => {
  const terminal = recorder({ tty: true })
  terminal.out.line(styled('red', 'no'))
  const pipe = recorder()
  pipe.out.line(styled('red', 'no'))
  expect(terminal.written.stdout).toBe('\u001b[31mno\u001b[39m\n')
  expect(pipe.written.stdout).toBe('no\n')
})

test.each([{ NO_COLOR: '1' }, { TERM: 'dumb' }])('colours stay away under %o', (env) => {
  const { out, written } = recorder({ tty: true, env })
  out.line(styled('red', 'no'))
  expect(written.stdout).toBe('no\n')
})

test('an empty NO_COLOR does not count', () => {
  const { out, written } = recorder({ tty: true, env: { NO_COLOR: '' } })
  out.line(styled('red', 'no'))
  expect(written.stdout).toContain('\u001b[31m')
})

test('an escape sequence in a value is shown and not obeyed', () => {
  const { out, written } = recorder({ tty: true })
  out.line(['subject ', '\u001b[2Jada\u0007\u202e'])
  expect(written.stdout).toBe('subject \\u001b[2Jada\\u0007\\u202e\n')
})

test('whatever a value holds, one line stays one line of visible characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = safe(text)
      expect(shown).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
      expect(stripVTControlCharacters(shown)).toBe(shown)
    }),
  )
})

test('JSON is the same value after controls were escaped', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value)
      expect(JSON.stringify(JSON.parse(jsonText(value)))).toBe(text)
      expect(JSON.stringify(JSON.parse(jsonLine(value)))).toBe(text)
      expect(jsonLine(value)).not.toMatch(/[\n\u007f-\u009f\u202e]/)
    }),
  )
})

test('columns of a table line up', () => {
  const { out, written } = recorder()
  out.table(
    [{ title: 'n', align: 'right' }, { title: 'name' }, { title: 'what' }],
    [
      ['1', 'ada', 'x'],
      ['100', styled('red', 'bo'), 'y'],
    ],
  )
  expect(written.stdout).toBe('  n  name  what\n  1  ada   x\n100  bo    y\n')
})

test('a table gives way to the width of the terminal', () => {
  const { out, written } = recorder({ tty: true, columns: 40, env: { NO_COLOR: '1' } })
  out.table([{ title: 'id' }, { title: 'text' }], [['1', 'x'.repeat(200)]])
  for (const line of written.stdout.trimEnd().split('\n')) {
    expect(line.length).toBeLessThanOrEqual(40)
  }
  expect(written.stdout).toContain('…')
})

test('a table in a pipe is whole but for the columns with a limit of their own', () => {
  const { out, written } = recorder({ columns: 40 })
  out.table([{ title: 'a', max: 5 }, { title: 'b' }], [['x'.repeat(9), 'y'.repeat(200)]])
  expect(written.stdout).toContain(`xxxx…  ${'y'.repeat(200)}\n`)
})

test('notes stay out of the answer', () => {
  const { out, written } = recorder()
  out.note('beside')
  out.raw('answer')
  expect(written).toEqual({ stdout: 'answer', stderr: 'beside\n' })
})
