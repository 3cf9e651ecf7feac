import { describe, expect, it } from 'vitest'
import { BusyPoll, busyPollDefault } from './busy-poll.ts'

const LIMIT_US = 100

/** A poll on a clock that only the test moves; a turn is taken when the test says so. */
function poll(limitMicroseconds = LIMIT_US) {
  let us = 0
  let waiting: (() => void) | null = null
  const busy = new BusyPoll({
    now: () => us / 1000,
    nextTurn: (callback) => {
      expect(waiting).toBeNull()
      waiting = callback
    },
  })
  busy.limitTo(limitMicroseconds)
  return {
    awake: () => waiting !== null,
    readAfter(microseconds: number) {
      us += microseconds
      busy.read()
    },
    turnAfter(microseconds: number) {
      us += microseconds
      const turn = waiting
      waiting = null
      turn?.()
    },
  }
}

describe('busy polling', () => {
  it('starts after two short gaps in a row', () => {
    const reads = poll()
    reads.readAfter(0)
    reads.readAfter(60)
    expect(reads.awake()).toBe(false)
    reads.readAfter(60)
    expect(reads.awake()).toBe(true)
  })

  it('does not start for a client that asks now and then, whose replies alone come quickly', () => {
    const reads = poll()
    for (let statement = 0; statement < 100; statement++) {
      reads.readAfter(2 * LIMIT_US + 1)
      reads.readAfter(80)
      expect(reads.awake()).toBe(false)
    }
  })

  it('goes on while reads come, however many turns lie between them', () => {
    const reads = poll()
    for (let read = 0; read < 3; read++) reads.readAfter(10)
    for (let read = 0; read < 100; read++) {
      for (let turn = 0; turn < 9; turn++) reads.turnAfter(10)
      expect(reads.awake()).toBe(true)
      reads.readAfter(0)
    }
  })

  it('ends when a gap is as long as the limit, and starts anew only after short ones', () => {
    const reads = poll()
    for (let read = 0; read < 3; read++) reads.readAfter(10)
    reads.turnAfter(LIMIT_US - 1)
    expect(reads.awake()).toBe(true)
    reads.turnAfter(1)
    expect(reads.awake()).toBe(false)
    reads.readAfter(10)
    expect(reads.awake()).toBe(false)
    for (let read = 0; read < 2; read++) reads.readAfter(10)
    expect(reads.awake()).toBe(true)
  })

  it('leaves off for a while when several are read in one turn: others need the cores', () => {
    const reads = poll()
    for (let read = 0; read < 3; read++) reads.readAfter(10)
    for (let read = 0; read < 2; read++) reads.readAfter(1)
    reads.turnAfter(1)
    expect(reads.awake()).toBe(false)
    for (let read = 0; read < 4096; read++) reads.readAfter(10)
    expect(reads.awake()).toBe(false)
    for (let read = 0; read < 3; read++) reads.readAfter(10)
    expect(reads.awake()).toBe(true)
  })

  it('never starts where it is limited to nothing, as on one core', () => {
    const reads = poll(busyPollDefault(1))
    for (let read = 0; read < 10; read++) reads.readAfter(0)
    expect(reads.awake()).toBe(false)
    expect(busyPollDefault(2)).toBeGreaterThan(0)
  })
})
