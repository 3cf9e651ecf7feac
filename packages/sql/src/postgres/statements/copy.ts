/** COPY: over the wire, to and from files and programs. */
import type { CopyStmt, DefElem, Node, RangeVar } from 'libpg-query'
import type { CopyFacts } from '../../facts.ts'
import { type Column, lineageOf, unknownOf } from '../../lineage/value.ts'
import { noteChecks } from '../lineage/checked.ts'
import { tableItem } from '../lineage/from.ts'
import { columnsOf, type Item, lookupIn, newScope, openOf } from '../lineage/scope.ts'
import { as, stringOf, stringsOf } from '../tree.ts'
import type { Handler, Run } from './run.ts'

export const copyStatement: Handler = (run, fields) => {
  const copy = fields as CopyStmt
  const { draft } = run
  draft.command = 'copy'
  draft.effect('copy')
  const overWire = copy.filename === undefined && copy.is_program !== true
  if (!overWire) draft.effect('admin')
  if (overWire) draft.copy = copyFacts(copy)
  draft.literalIndependent = false
  if (copy.query !== undefined) copyQuery(run, copy.query, overWire)
  else if (copy.relation === undefined) draft.unknown('COPY without relation')
  else if (copy.is_from === true) copyFrom(run, copy, copy.relation)
  else copyTo(run, copy, copy.relation, overWire)
  run.requireAllVisited()
}

/** The query's own outputs go to the client, or flow into a file. */
function copyQuery(run: Run, query: Node, overWire: boolean): void {
  const { draft } = run
  const facts = run.nested(query)
  if (overWire) draft.inner = facts.withholdable ?? null
  draft.isWithholdable = draft.inner !== null
  draft.absorb(facts, { effects: true })
  // Its nodes were seen by the nested analysis, which reports what it missed itself.
  for (const node of run.survey.meaningful) run.walk.visited.add(node)
  if (overWire) {
    draft.outputs = facts.outputs
    return
  }
  if (facts.outputs === 'unknown') {
    const lineage = { ...lineageOf(unknownOf('COPY of unknown columns')), sources: facts.columns }
    draft.flows.push({ lineage, into: { kind: 'other', what: 'file of COPY' } })
    return
  }
  for (const { lineage } of facts.outputs ?? []) {
    if (lineage.kind === 'constant') continue
    draft.flows.push({ lineage, into: { kind: 'other', what: 'file of COPY' } })
  }
}

function copyTo(run: Run, copy: CopyStmt, relation: RangeVar, overWire: boolean): void {
  const { draft } = run
  draft.effect('read')
  const { columns, open } = copiedColumns(run, copy, relation)
  for (const { value } of columns) for (const source of value.sources) draft.column(source)
  if (overWire) {
    draft.outputs =
      open === null
        ? columns.map(({ name, value }) => ({
            name,
            lineage: lineageOf(run.context.catalog === null ? unknownOf('no catalog') : value),
          }))
        : 'unknown'
    if (open !== null) for (const why of open.why) draft.remark(why)
    return
  }
  const values = [...columns.map((column) => column.value), ...(open === null ? [] : [open])]
  for (const value of values) {
    draft.flows.push({ lineage: lineageOf(value), into: { kind: 'other', what: 'file of COPY' } })
  }
}

/** The columns COPY names, or all that a table stores: generated ones are left out. */
function copiedColumns(run: Run, copy: CopyStmt, relation: RangeVar) {
  const item = tableItem(run.walk, relation, { scope: null, access: 'read' })
  const names = stringsOf(copy.attlist)
  if (names.length === 0) {
    const all = columnsOf(item)
    const generated = generatedColumns(run, relation)
    const columns = (all ?? []).filter((column) => !generated.has(column.name))
    return { columns, open: openOf(item) }
  }
  const columns: Column[] = names.map((name) => ({
    name,
    value: lookupIn(item, name) ?? unknownOf('column of COPY not found'),
  }))
  return { columns, open: null }
}

function generatedColumns(run: Run, { schemaname, relname }: RangeVar): ReadonlySet<string> {
  const named = run.context.catalog?.relationsNamed(relname ?? '') ?? []
  const relations = named.filter(
    (relation) => schemaname === undefined || relation.schema === schemaname,
  )
  return new Set(
    relations.flatMap((relation) =>
      relation.columns
        .filter((column) => column.generated !== undefined)
        .map((column) => column.name),
    ),
  )
}

function copyFrom(run: Run, copy: CopyStmt, relation: RangeVar): void {
  run.draft.effect('write')
  const item = tableItem(run.walk, relation, { scope: null, access: 'write' })
  noteChecks(run.walk, relation, { values: null, fresh: true })
  if (run.draft.copy !== null) noteSent(run, copy, relation, item)
  if (copy.whereClause !== undefined) {
    // It filters the rows coming in; what it names are their values, not stored ones.
    run.walk.value(copy.whereClause, {
      ...newScope(null),
      entries: [{ item, bare: true, named: true }],
    })
  }
}

/** The client's rows: which field goes where. */
function noteSent(run: Run, copy: CopyStmt, relation: RangeVar, item: Item): void {
  const names = stringsOf(copy.attlist)
  const generated = generatedColumns(run, relation)
  const columns =
    names.length > 0
      ? names
      : (columnsOf(item) ?? []).map(({ name }) => name).filter((name) => !generated.has(name))
  columns.forEach((name, field) => {
    const value = lookupIn(item, name)
    if (value?.kind !== 'direct') return
    run.draft.constantWrites.push({
      column: value.sources[0]!,
      value: { kind: 'sent', field },
      fresh: true,
    })
  })
}

const DEFAULTS = {
  text: { delimiter: '\t', nullText: '\\N' },
  csv: { delimiter: ',', nullText: '' },
  binary: { delimiter: '', nullText: '' },
} as const

function copyFacts(copy: CopyStmt): CopyFacts {
  const options = new Map<string, DefElem>()
  for (const node of copy.options ?? []) {
    const option = as(node, 'DefElem')
    if (option !== undefined) options.set((option.defname ?? '').toLowerCase(), option)
  }
  const text = (name: string) => textOf(options.get(name)?.arg)
  const named = text('format')?.toLowerCase()
  const format = named === 'csv' || named === 'binary' ? named : 'text'
  const quote = text('quote') ?? (format === 'csv' ? '"' : '')
  return {
    direction: copy.is_from === true ? 'from-client' : 'to-client',
    format,
    delimiter: text('delimiter') ?? DEFAULTS[format].delimiter,
    nullText: text('null') ?? DEFAULTS[format].nullText,
    quote,
    escape: text('escape') ?? quote,
    header: isOn(options.get('header')),
  }
}

function isOn(option: DefElem | undefined): boolean {
  if (option === undefined) return false
  const value = textOf(option.arg)
  return value === undefined || !/^(false|off|0)$/i.test(value)
}

function textOf(arg: Node | undefined): string | undefined {
  if (as(arg, 'String') !== undefined) return stringOf(arg)
  const integer = as(arg, 'Integer')
  if (integer !== undefined) return String(integer.ival ?? 0)
  const flag = as(arg, 'Boolean')
  return flag === undefined ? undefined : String(flag.boolval ?? false)
}
