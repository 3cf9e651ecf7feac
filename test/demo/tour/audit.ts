/** Promises: every statement is recorded with its verdict before it runs, and nobody can edit the record unseen. */

import { createHash } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Statement } from '@sallyport/audit'
import { withoutComments, withoutLiterals } from '@sallyport/sql'
import { type CommandResult, sallyport, type Tour } from './context.ts'
import { auditEvents } from './log.ts'

export async function auditChapter(tour: Tour): Promise<void> {
  tour.narrator.chapter('10. The record')
  await shownByCommand(tour)
  await everyStatement(tour)
  await verified(tour)
}

async function shownByCommand({ narrator, demo }: Tour): Promise<void> {
  narrator.command('$', 'sallyport audit search --verdict deny --limit 3 --config …')
  const search = [
    'audit',
    'search',
    '--verdict',
    'deny',
    '--limit',
    '3',
    '--config',
    demo.configFile,
  ]
  const found = await sallyport(...search)
  narrator.output(found.stdout || found.stderr)
  narrator.promise(
    'the record can be searched while the gateway writes it',
    found.exit === 0,
    found,
  )
}

async function everyStatement({ narrator, demo, sent }: Tour): Promise<void> {
  const records = (await auditEvents(demo)).filter((event) => event.type === 'statement')
  // Where a masked column is read comments are left out, where it is more than shown literals are, too.
  const missing = sent.filter(
    ({ sql, verdict }) =>
      !records.some(
        (one) =>
          [sql, withoutComments(sql), withoutLiterals(sql)].includes(one.sql) &&
          one.verdict === verdict,
      ),
  )
  narrator.promise(
    `each of the ${sent.length} statements of this tour is recorded with its verdict`,
    missing.length === 0 && sent.length > 60,
    missing,
  )
  const bare = records.filter((one) => !explained(one))
  narrator.promise(
    'each record names the rule that decided, or says that none did',
    bare.length === 0,
    bare.slice(0, 3),
  )
}

function explained({ verdict, rule, code, relations }: Statement): boolean {
  if (verdict === 'allow') return rule !== null || relations.every(({ name }) => isCatalog(name))
  if (verdict === 'approve') return rule !== null
  return rule !== null || code !== undefined
}

const isCatalog = (name: string): boolean => name.startsWith('pg_catalog.')

/** With the gateway stopped everything is signed: nothing is left that could be edited unseen. */
async function verified({ narrator, demo }: Tour): Promise<void> {
  const directory = join(demo.folder, 'audit')
  await demo.gateway.stop()
  const folder = await mkdtemp(join(tmpdir(), 'sp-tour-'))
  try {
    const keyName = (await readdir(directory)).find((name) => name.startsWith('public-key-')) ?? ''
    const publicKey = join(folder, 'key.pem')
    await cp(join(directory, keyName), publicKey)
    const verify = (what: string): Promise<CommandResult> =>
      sallyport('audit', 'verify', what, '--public-key', publicKey)
    narrator.command('$', `sallyport audit verify ${directory} --public-key key.pem`)
    const whole = await verify(directory)
    narrator.output(whole.stdout || whole.stderr)
    narrator.promise(
      'the log verifies with the public key alone, and so do the recordings',
      whole.exit === 0 && /[1-9]\d* recordings? as sealed/.test(whole.stdout),
      whole,
    )
    for (const forgery of FORGERIES) {
      const copy = join(folder, forgery.name)
      await copySegments(directory, copy)
      narrator.command('$', forgery.command)
      await edit(join(copy, SEGMENT), forgery.edit)
      const report = await verify(copy)
      narrator.output(report.stdout || report.stderr)
      narrator.promise(`${forgery.title} does not`, report.exit === 1, report)
    }
    const copy = join(folder, 'recorded')
    await cp(directory, copy, { recursive: true, filter: (source) => !source.endsWith('.sock') })
    narrator.command('$', 'printf X | dd of=recorded/recordings/… bs=1 seek=40 conv=notrunc')
    await editRecording(join(copy, 'recordings'))
    const report = await verify(copy)
    narrator.output(report.stdout || report.stderr)
    narrator.promise('one byte of a recording changed does not', report.exit === 1, report)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const SEGMENT = '00000001.jsonl'
const TRACE = 'DROP TABLE orders'

interface Forgery {
  readonly name: string
  readonly title: string
  readonly command: string
  readonly edit: (text: string) => string
}

const FORGERIES: readonly Forgery[] = [
  {
    name: 'edited',
    title: 'a copy with one statement edited',
    command: `sed -i 's/${TRACE}/SELECT 1 -- orders/' edited/${SEGMENT}`,
    edit: withoutTrace,
  },
  {
    name: 'rehashed',
    title: 'a copy edited by somebody who computed every hash again',
    command: `sed -i 's/${TRACE}/SELECT 1 -- orders/' rehashed/${SEGMENT} # and every "prev" behind it`,
    edit: (text) => rehashed(withoutTrace(text)),
  },
  {
    name: 'cut',
    title: 'a copy cut before the trace',
    command: `sed -i '/${TRACE}/,$d' cut/${SEGMENT}`,
    edit: (text) => text.slice(0, text.lastIndexOf('\n', text.indexOf(TRACE)) + 1),
  },
]

/** Only what an auditor is handed: segments and heads, no key. */
async function copySegments(from: string, to: string): Promise<void> {
  await cp(from, to, {
    recursive: true,
    filter: (source) => source === from || source.endsWith('.jsonl'),
  })
}

async function edit(file: string, change: (text: string) => string): Promise<void> {
  const text = await readFile(file, 'utf8')
  const edited = change(text)
  if (edited === text) throw new Error('the record to edit is not there')
  await writeFile(file, edited)
}

/** One byte of the first that there is. */
async function editRecording(directory: string): Promise<void> {
  const names = await readdir(directory, { recursive: true })
  const file = join(directory, names.find((name) => name.endsWith('.rec')) ?? '')
  const bytes = await readFile(file)
  bytes.writeUInt8((bytes.readUInt8(40) + 1) % 256, 40)
  await writeFile(file, bytes)
}

function withoutTrace(text: string): string {
  return text.replaceAll(TRACE, 'SELECT 1 -- orders')
}

/** Every `prev` is the hash of the line before again (RFC 6962 leaf hash, packages/audit/README.md). */
function rehashed(text: string): string {
  let before: string | undefined
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const hash = createHash('sha256').update(`\0${before}`).digest('hex')
      const linked =
        before === undefined
          ? line
          : line.replace(/"prev":"[0-9a-f]{64}"(?=,"seq":\d+}$)/, `"prev":"${hash}"`)
      before = linked
      return linked
    })
  return `${lines.join('\n')}\n`
}
