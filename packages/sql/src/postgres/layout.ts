/** PostgreSQL's statements, broken over lines for people to read; see ../layout.ts. */
import { LAYOUT_LENGTH_MAX, layOut } from '../layout.ts'
import { piecesOf } from './pieces.ts'

/** Null: it cannot be read with certainty, or is too long. Has the same tokens and comments as `sql`. */
export function layOutPostgres(sql: string): string | null {
  if (sql.length > LAYOUT_LENGTH_MAX) return null
  const before = piecesOf(sql)
  if (before === null) return null
  const text = layOut(before.pieces, before.rest)
  const after = piecesOf(text)
  const same =
    after?.pieces.length === before.pieces.length &&
    after.pieces.every((piece, i) => piece.text === before.pieces[i]?.text)
  return same ? text : null
}
