/**
 * A statement broken over lines for people to read: its tokens and comments exactly as they are, in their order, with
 * other white space between them. What tokens are is each language's: `Piece`.
 *
 * White space is put or taken away only next to a comma, a parenthesis or a semicolon, which end a token in every
 * dialect; elsewhere what stood apart stays apart and what stood together stays together (`count (` is not `count(`).
 * A gap with a comment in it is kept as it is, up to the white space at its end.
 */

/** Longer than this, a part is broken where it can be; UTF-16 code units. */
const WIDTH = 80
/** Deeper parts are not set in further, nor broken. */
const DEPTH_MAX = 40
const INDENT = 2
/** Longer texts are not laid out: nobody reads them, and everybody else would wait. UTF-16 code units. */
export const LAYOUT_LENGTH_MAX = 32_768

/** One token. */
export interface Piece {
  readonly text: string
  /** What it is to the layout: a bare word in upper case, or punctuation; empty for everything else. */
  readonly key: string
  /** Everything between the token before and this one. */
  readonly gap: string
}

/** Text between `(` and `)`, or CASE and END; `close` is null where it does not end. */
interface Group {
  readonly open: Piece
  readonly inside: readonly Node[]
  readonly close: Piece | null
}
type Node = Piece | Group

/** `rest`: what follows the last token. */
export function layOut(pieces: readonly Piece[], rest: string): string {
  const writer = new Writer()
  writer.clauses(grouped(pieces), 0)
  return (writer.text + rest).replace(TRAILING, '')
}

const BLANK = /^[ \t\n\r\f\v]*$/
const LEADING = /^[ \t\n\r\f\v]+/
const TRAILING = /[ \t\n\r\f\v]+$/

/** Begin a line of their own, unless one of these words stands before them. */
const CLAUSES: Readonly<Record<string, readonly string[]>> = {
  SELECT: ['INSERT', 'EXPLAIN'],
  FROM: ['DELETE', 'DISTINCT'],
  WHERE: [],
  GROUP: ['WITHIN'],
  HAVING: [],
  ORDER: [],
  LIMIT: [],
  OFFSET: [],
  FETCH: [],
  UNION: [],
  INTERSECT: [],
  EXCEPT: [],
  RETURNING: [],
  SET: ['UPDATE', 'CHARACTER', 'ALTER'],
  VALUES: ['DEFAULT'],
  INSERT: ['THEN'],
  UPDATE: ['FOR', 'DO', 'KEY', 'ON', 'THEN', 'NO'],
  DELETE: ['ON', 'THEN'],
  MERGE: [],
  USING: [],
  WHEN: [],
  WINDOW: [],
  JOIN: ['LEFT', 'RIGHT', 'FULL', 'INNER', 'CROSS', 'NATURAL', 'OUTER'],
  LEFT: ['NATURAL'],
  RIGHT: ['NATURAL'],
  FULL: ['NATURAL'],
  INNER: ['NATURAL'],
  CROSS: [],
  NATURAL: [],
  STRAIGHT_JOIN: ['SELECT'],
}
/** Parts of these end at AND and OR, those of other clauses at commas. */
const CONDITIONS = new Set(
  'WHERE HAVING WHEN JOIN LEFT RIGHT FULL INNER CROSS STRAIGHT_JOIN'.split(' '),
)
const ENDS: Readonly<Record<string, string>> = { '(': ')', CASE: 'END' }

const isGroup = (node: Node): node is Group => 'open' in node
const keyOf = (node: Node | undefined): string =>
  node === undefined ? '' : isGroup(node) ? node.open.key : node.key

function grouped(pieces: readonly Piece[]): readonly Node[] {
  const top: Node[] = []
  const open: { readonly piece: Piece; readonly inside: Node[] }[] = []
  const close = (piece: Piece | null): void => {
    const group = open.pop()
    if (group === undefined) return
    const { piece: opening, inside } = group
    const around = open.at(-1)?.inside ?? top
    around.push({ open: opening, inside, close: piece })
  }
  for (const piece of pieces) {
    const last = open.at(-1)
    if (ENDS[piece.key] !== undefined && open.length < DEPTH_MAX) open.push({ piece, inside: [] })
    else if (last !== undefined && ENDS[last.piece.key] === piece.key) close(piece)
    else (last?.inside ?? top).push(piece)
  }
  while (open.length > 0) close(null)
  return top
}

/** Cut in front of every node that `begins` a part. */
function parts(
  nodes: readonly Node[],
  begins: (node: Node, before: Node, part: readonly Node[]) => boolean,
): readonly (readonly Node[])[] {
  const all: Node[][] = []
  for (const [index, node] of nodes.entries()) {
    const before = nodes[index - 1]
    const part = all.at(-1)
    if (before === undefined || part === undefined || begins(node, before, part)) all.push([node])
    else part.push(node)
  }
  return all
}

function clausesOf(nodes: readonly Node[]): readonly (readonly Node[])[] {
  return parts(nodes, (node, before) => {
    if (keyOf(before) === ';') return true
    const after = isGroup(node) ? undefined : CLAUSES[node.key]
    return after?.includes(keyOf(before)) === false && keyOf(before) !== '.'
  })
}

/** Of one clause: a list, or conditions; BETWEEN has an AND of its own. */
function itemsOf(clause: readonly Node[]): readonly (readonly Node[])[] {
  if (!CONDITIONS.has(keyOf(clause[0]))) {
    return parts(clause, (_node, before) => keyOf(before) === ',')
  }
  return parts(clause, (node, _before, part) => {
    if (keyOf(node) !== 'AND') return /^(OR|XOR)$/.test(keyOf(node))
    const count = (word: string): number => part.filter((one) => keyOf(one) === word).length
    // The part's first word may be the AND that began it.
    const ands = count('AND') - (keyOf(part[0]) === 'AND' ? 1 : 0)
    return count('BETWEEN') <= ands
  })
}

const casesOf = (nodes: readonly Node[]): readonly (readonly Node[])[] =>
  parts(nodes, (node) => /^(WHEN|ELSE)$/.test(keyOf(node)))

class Writer {
  readonly #parts: string[] = []
  #column = 0
  #last: Piece | null = null
  /** Where the line begins that comes before the next token; null: it goes on in this one. */
  #line: number | null = null

  get text(): string {
    return this.#parts.join('')
  }

  /** Each clause on a line of its own, where all of them do not fit into one. */
  clauses(nodes: readonly Node[], indent: number): void {
    const several = nodes.slice(0, -1).some((node) => keyOf(node) === ';')
    if (!several && this.#fits(nodes)) return this.#flat(nodes)
    for (const [index, clause] of clausesOf(nodes).entries()) {
      if (index > 0) this.#line = indent
      this.#listed(clause, itemsOf(clause), indent)
    }
  }

  /** In one line, or each item in its own. */
  #listed(all: readonly Node[], items: readonly (readonly Node[])[], indent: number): void {
    if (this.#fits(all)) this.#flat(all)
    else this.#items(items, indent)
  }

  #items(items: readonly (readonly Node[])[], indent: number): void {
    for (const [index, item] of items.entries()) {
      if (index > 0) this.#line = indent + INDENT
      this.#item(item, indent + (index > 0 ? INDENT : 0))
    }
  }

  #item(item: readonly Node[], indent: number): void {
    if (this.#fits(item)) return this.#flat(item)
    for (const node of item) {
      if (!isGroup(node)) this.#put(node)
      else if (this.#fits([node])) this.#flat([node])
      else this.#group(node, indent)
    }
  }

  #group({ open, inside, close }: Group, indent: number): void {
    this.#put(open)
    this.#line = indent + INDENT
    if (open.key === '(') this.clauses(inside, indent + INDENT)
    else this.#items(casesOf(inside), indent)
    if (close === null) return
    this.#line = indent
    this.#put(close)
  }

  #fits(nodes: readonly Node[]): boolean {
    const from = this.#line ?? this.#column
    return from + lengthOf(nodes, WIDTH - from) <= WIDTH
  }

  #flat(nodes: readonly Node[]): void {
    for (const piece of piecesOf(nodes)) this.#put(piece)
  }

  #put(piece: Piece): void {
    this.#write(gapBefore(piece, this.#last, this.#line))
    this.#write(piece.text)
    this.#line = null
    this.#last = piece
  }

  #write(text: string): void {
    this.#parts.push(text)
    const line = text.lastIndexOf('\n')
    this.#column = line < 0 ? this.#column + text.length : text.length - line - 1
  }
}

function* piecesOf(nodes: readonly Node[]): Iterable<Piece> {
  for (const node of nodes) {
    if (!isGroup(node)) yield node
    else {
      yield node.open
      yield* piecesOf(node.inside)
      if (node.close !== null) yield node.close
    }
  }
}

/** In one line, without what stands before the first; counted no further than past `max`. */
function lengthOf(nodes: readonly Node[], max: number): number {
  let length = 0
  let last: Piece | null = null
  for (const piece of piecesOf(nodes)) {
    const gap = last === null ? '' : gapBefore(piece, last, null)
    if (gap.includes('\n')) return Number.POSITIVE_INFINITY
    length += gap.length + piece.text.length
    if (length > max) return length
    last = piece
  }
  return length
}

/** `line`: how far the line that is to begin here is set in; null: none is. */
function gapBefore({ gap, key }: Piece, last: Piece | null, line: number | null): string {
  const broken = line === null ? null : `\n${' '.repeat(line)}`
  if (last === null) return gap.replace(LEADING, '')
  if (!BLANK.test(gap)) return broken === null ? gap : gap.replace(TRAILING, broken)
  const after = last.key
  const isFree = /^[(,;]$/.test(after) || /^[),;]$/.test(key)
  if (gap === '' && !isFree) return ''
  if (broken !== null && !/^[,;]$/.test(key)) return broken
  if (after === '(' || /^[),;]$/.test(key)) return ''
  return ' '
}
