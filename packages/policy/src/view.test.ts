import { describe, expect, test } from 'vitest'
import { column, policyOf, subject, viewOf } from './testing.ts'
import { grantsFor } from './view.ts'

const ALLOW = "rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }]\n"

describe('where several entries match', () => {
  test('what any of them records is recorded', () => {
    const recording = (...entries: readonly string[]) =>
      viewOf(policyOf(`${ALLOW}record:\n${entries.map((one) => `  - ${one}\n`).join('')}`))
        .recording
    const few = '{ who: everyone, rows: 10, bytes: 1KiB, parameters: false }'
    const more = '{ who: { kind: human }, rows: 20, bytes: 2KiB, parameters: true }'
    const all = '{ who: everyone, rows: all }'
    expect(recording(few)).toEqual({ rows: 10, bytes: 1024, parameters: false })
    for (const both of [
      [few, more],
      [more, few],
    ])
      expect(recording(...both)).toEqual({ rows: 20, bytes: 2048, parameters: true })
    for (const both of [
      [few, all],
      [all, few],
    ])
      expect(recording(...both)).toMatchObject({ rows: null, bytes: null, parameters: true })
  })

  test('a column has the strictest of its masks’ settings, in any order', () => {
    const masked = (...settings: readonly string[]) =>
      viewOf(
        policyOf(
          `${ALLOW}masks:\n${settings.map((one) => `  - { columns: [s.t.c], with: redact${one} }\n`).join('')}`,
        ),
      ).maskFor(column('s.t.c'))
    const guesses = (max: number, within: string) => `, probes: { max: ${max}, within: ${within} }`
    const groups = (min: number) => `, groups: { min: ${min} }`
    for (const both of [
      [guesses(9, '1m'), guesses(5, '1h')],
      [guesses(5, '1h'), guesses(9, '1m')],
    ])
      expect(masked(...both)?.probes).toEqual({ max: 5, withinMs: 3_600_000 })
    expect(masked(guesses(9, '1m'), '')?.probes).toEqual({ max: 9, withinMs: 60_000 })
    expect(masked('', guesses(9, '1m'))?.probes).toEqual({ max: 9, withinMs: 60_000 })
    expect(masked(groups(3), groups(5))?.groupMin).toBe(5)
    // A mask that shows no group at all is the stricter one.
    expect(masked(groups(3), '')?.groupMin).toBeNull()
    expect(masked('', groups(3))?.groupMin).toBeNull()
  })

  test('a mask without a name is called what it has for the column', () => {
    const view = viewOf(
      policyOf(
        `${ALLOW}masks:\n  - { columns: [s.t.a, '*.t.c', s.t.c], with: redact }\n  - { name: n, columns: [s.t.d, s.u.d], with: redact }\n`,
      ),
    )
    expect(view.maskFor(column('s.t.a'))?.names).toEqual(['s.t.a'])
    expect(view.maskFor(column('s.t.c'))?.names).toEqual(['*.t.c', 's.t.c'])
    expect(view.maskFor(column('s.t.d'))?.names).toEqual(['n'])
  })
})

test('a role is asked for by who may, for where it may be; glass is broken only by who is named', () => {
  const policy = policyOf(`connections: [crm]
${ALLOW}grants:
  - role: writer
    who: { groups: [analysts] }
    approvers: { groups: [dba] }
    max: 1h
    break-glass: { groups: [on-call] }
`)
  const asked = (role: string, connection: string, groups: readonly string[]) =>
    grantsFor(policy, subject({ groups }), { role, connection }).map((one) => one.breakGlass)
  expect(asked('writer', 'crm', ['analysts'])).toEqual([false])
  expect(asked('writer', 'crm', ['analysts', 'on-call'])).toEqual([true])
  expect(asked('writer', 'crm', ['on-call'])).toEqual([])
  expect(asked('reader', 'crm', ['analysts'])).toEqual([])
  expect(asked('writer', 'other', ['analysts'])).toEqual([])
})
