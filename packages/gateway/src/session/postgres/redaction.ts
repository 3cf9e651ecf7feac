/**
 * The server's errors and notices as a principal under masks may read them.
 *
 * Code, severity and object names stay. What can hold a value goes: quoted parts that are neither a name
 * the report itself gives nor the client's own, numbers, byte sequences, DETAIL, CONTEXT and internal
 * queries, and every word of a text that a function's author wrote (RAISE and its like).
 *
 * A text may repeat the client's own statement only where the server says so: then it points into it
 * (`position`), or it is of a class whose messages are made of names. Repeating whatever happens to be in
 * the statement would tell which of the values listed there the row has.
 */
import { ByteWriter, type ErrorFields, rewriteErrorResponse } from '@sallyport/protocol-postgres'

const WITHHELD = '…'

/** SQLSTATE classes whose messages are made of names and words, never of data (PostgreSQL 18, Appendix A). */
const NAME_CLASSES: ReadonlySet<string> = new Set(
  '00 01 02 03 08 09 0A 0B 0F 0L 0P 24 25 26 27 28 2B 2D 34 3B 3D 3F 40 42 53 54 55 57 58'.split(
    ' ',
  ),
)

/** Where functions in procedural languages raise texts of their own (the `R` field). */
const RAISING_ROUTINES = /^(exec_stmt_raise|exec_stmt_assert|PLy_|plpy|plperl|pltcl|do_util_elog)/
/** SQLSTATEs of PL/pgSQL's own: raise_exception, assert_failure, and those of user functions. */
const RAISED = /^(P0|38|39|HV|U)/

/** Double, typographic and guillemet quotes, as message translations have them. */
const QUOTED = /"(?:[^"]|"")*"|“[^”]*”|„[^“]*“|«[^»]*»|`[^']*'/g
const BYTES = /\b0x[0-9a-f]+/gi
/** A type's modifier is the schema's: `character varying(5)`, `numeric(10,2)`. */
const TYPE_MODIFIER =
  /\b(?:varying|character|char|bit|numeric|time|timestamp|interval)\(\d+(?:,\s*-?\d+)?\)/g
const NUMBER = /[-+]?\d[\d.,:/-]*/g

/** The frame [start, end) as it may be read. `own`: the client's own statement, null when it has none. */
export function redactReport(buf: Buffer, start: number, end: number, own: string | null): Buffer {
  const out = new ByteWriter()
  rewriteErrorResponse(buf, start, end, (fields) => redactFields(fields, own), out)
  return out.take()
}

/** `own`: the text that the report may point into; null: not one of the client's. */
export function redactFields(fields: ErrorFields, own: string | null): ErrorFields {
  const { severity, severityUntranslated, sqlstate, position, file, line, routine } = fields
  const fixed = {
    severity,
    ...(severityUntranslated !== undefined && { severityUntranslated }),
    sqlstate,
    ...(position !== undefined && own !== null && { position }),
    ...(file !== undefined && { file }),
    ...(line !== undefined && { line }),
    ...(routine !== undefined && { routine }),
  }
  if (isRaised(fields)) {
    const what = /^(ERROR|FATAL|PANIC)$/.test(severityUntranslated ?? severity) ? 'error' : 'notice'
    return {
      ...fixed,
      message: `a function of the database raised this ${what}`,
      detail: WITHHELD_TEXT,
    }
  }
  return { ...fixed, ...redactTexts(fields, own ?? ''), ...namesOf(fields) }
}

const WITHHELD_TEXT = 'Its text is withheld: it may hold masked values.'
const WITHHELD_DETAIL = 'Details are withheld: they may hold masked values.'

/** Written by somebody, not by the server: any field of it can be anything. */
function isRaised({ sqlstate, routine, message }: ErrorFields): boolean {
  if (RAISED.test(sqlstate)) return true
  if (routine !== undefined) return RAISING_ROUTINES.test(routine)
  // A server that does not say where a report comes from: names only.
  return !NAME_CLASSES.has(sqlstate.slice(0, 2)) && !/^[a-z ]*$/.test(message)
}

function redactTexts(fields: ErrorFields, own: string): Partial<ErrorFields> & { message: string } {
  const { message, hint, detail, where } = fields
  const nameClass = NAME_CLASSES.has(fields.sqlstate.slice(0, 2))
  const names = new Set(Object.values(namesOf(fields)))
  const repeats = nameClass || fields.position !== undefined
  const text = (one: string): string => redactText(one, names, repeats ? own : '')
  const withheld = detail !== undefined || where !== undefined
  // Details of class 42 name columns and tables that could be meant.
  const kept = detail !== undefined && fields.sqlstate.startsWith('42') ? text(detail) : undefined
  return {
    message: text(message),
    ...(hint !== undefined && { hint: text(hint) }),
    ...(kept !== undefined ? { detail: kept } : withheld && { detail: WITHHELD_DETAIL }),
  }
}

function namesOf(
  fields: ErrorFields,
): Partial<Record<'schema' | 'table' | 'column' | 'dataType' | 'constraint', string>> {
  const { schema, table, column, dataType, constraint } = fields
  return {
    ...(schema !== undefined && { schema }),
    ...(table !== undefined && { table }),
    ...(column !== undefined && { column }),
    ...(dataType !== undefined && { dataType }),
    ...(constraint !== undefined && { constraint }),
  }
}

function redactText(text: string, names: ReadonlySet<string | undefined>, own: string): string {
  const kept: string[] = []
  const keep = (part: string): string => {
    kept.push(part)
    return `\0${String.fromCharCode(0xe000 + kept.length - 1)}`
  }
  const redacted = text
    .replace(/[\0\ue000-\uf8ff]/g, WITHHELD)
    .replace(QUOTED, (part) => {
      const inner = part.slice(1, -1)
      return keep(names.has(inner) || isOwn(inner, own) ? part : `"${WITHHELD}"`)
    })
    .replace(TYPE_MODIFIER, keep)
    .replace(BYTES, WITHHELD)
    .replace(NUMBER, (run) => (isOwn(run, own) ? run : WITHHELD))
  return redacted.replace(
    /\0([\ue000-\uf8ff])/g,
    (_, at: string) => kept[at.charCodeAt(0) - 0xe000] ?? '',
  )
}

/** Stands in the client's own text as a whole word. */
function isOwn(part: string, own: string): boolean {
  if (part === '' || own === '') return false
  for (let at = own.indexOf(part); at >= 0; at = own.indexOf(part, at + 1)) {
    const before = own[at - 1] ?? ' '
    const after = own[at + part.length] ?? ' '
    if (!isWord(before) && !isWord(after)) return true
  }
  return false
}

function isWord(character: string): boolean {
  return /[\p{L}\p{N}_$]/u.test(character)
}
