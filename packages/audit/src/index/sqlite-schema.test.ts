import { statSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../testing.ts'
import { indexPath, openIndex, openIndexForReading } from './sqlite-schema.ts'

const OPENERS = 4

/** Every thread opens the index of each directory at the same moment, and adds one to where it stands. */
const OPENER = `
const { parentPort, workerData } = require('node:worker_threads')
const { arrivals, directories, module, openers } = workerData
const arrived = new Int32Array(arrivals)
import(module).then(({ openIndex }) => {
  for (const [round, directory] of directories.entries()) {
    if (Atomics.add(arrived, round, 1) + 1 === openers) Atomics.notify(arrived, round)
    for (let here; (here = Atomics.load(arrived, round)) < openers; ) Atomics.wait(arrived, round, here)
    const db = openIndex(directory)
    db.exec('UPDATE position SET seq = seq + 1')
    db.close()
  }
})
`

test('several open an index that is not there yet: one makes it, and it is the same for all', async () => {
  const directories = Array.from({ length: 12 }, () => temporaryDirectory())
  const arrivals = new SharedArrayBuffer(directories.length * Int32Array.BYTES_PER_ELEMENT)
  const module = new URL('./sqlite-schema.ts', import.meta.url).href
  const workerData = { arrivals, directories, module, openers: OPENERS }
  const ended = Array.from({ length: OPENERS }, () => {
    const worker = new Worker(OPENER, { eval: true, workerData })
    return new Promise<void>((resolve, reject) => {
      worker.once('error', reject).once('exit', () => resolve())
    })
  })
  await Promise.all(ended)
  for (const directory of directories) {
    const db = openIndexForReading(directory)
    expect(db.prepare('SELECT seq FROM position').get()).toEqual({ seq: OPENERS })
    db.close()
  }
})

test('one of another version is made anew in the same file, under whoever reads it', () => {
  const directory = temporaryDirectory()
  const old = openIndex(directory)
  const [version] = old.pragma('user_version') as [{ user_version: number }]
  old.exec("UPDATE position SET seq = 7; INSERT INTO block_text (rowid, text) VALUES (1, 'word')")
  old.pragma(`user_version = ${version.user_version - 1}`)
  const { ino } = statSync(indexPath(directory))
  expect(() => openIndexForReading(directory)).toThrow('of another version')
  const later = openIndex(directory)
  expect(statSync(indexPath(directory)).ino).toBe(ino)
  for (const db of [old, later]) {
    expect(db.prepare('SELECT seq FROM position').get()).toEqual({ seq: 0 })
    expect(db.prepare("SELECT rowid FROM block_text('word')").all()).toEqual([])
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    db.close()
  }
})

test('one in which nothing was made yet is not there yet', () => {
  const directory = temporaryDirectory()
  const db = openIndex(directory)
  db.pragma('user_version = 0')
  db.close()
  expect(() => openIndexForReading(directory)).toThrow('no index yet')
})
