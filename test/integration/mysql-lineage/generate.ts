/**
 * Random queries in what MySQL and MariaDB have in common, deterministic in what they return as a set, so that a
 * change of one column's data shows which outputs depend on it.
 */
import fc from 'fast-check'
import { TABLES } from './schema.ts'

interface Source {
  readonly sql: string
  /** Columns by qualified name. */
  readonly columns: readonly string[]
}

type Gen = <T>(arbitrary: fc.Arbitrary<T>) => T

const NAMES = ['p', 'q', 'r']

class Writer {
  readonly #gen: Gen
  readonly #lateral: boolean
  #aliases = 0
  #fuel = 22

  constructor(gen: Gen, { lateral }: { readonly lateral: boolean }) {
    this.#gen = gen
    this.#lateral = lateral
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#gen(fc.nat(items.length - 1))]!
  }

  #chance(outOf: number): boolean {
    return this.#fuel > 0 && this.#gen(fc.nat(outOf - 1)) === 0
  }

  #alias(): string {
    return `t${++this.#aliases}`
  }

  query(outer: readonly string[]): { sql: string; width: number } {
    this.#fuel--
    if (this.#chance(6)) return this.#union(outer)
    const width = 1 + this.#gen(fc.nat(2))
    return { sql: this.#select(outer, width), width }
  }

  #union(outer: readonly string[]): { sql: string; width: number } {
    const width = 1 + this.#gen(fc.nat(1))
    const operation = this.#pick(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'])
    return {
      sql: `(${this.#select(outer, width)}) ${operation} (${this.#select(outer, width)})`,
      width,
    }
  }

  #select(outer: readonly string[], width: number): string {
    const from = this.#from(outer)
    const visible = [...from.columns, ...outer]
    const where = this.#chance(2) ? ` WHERE ${this.#condition(visible)}` : ''
    if (this.#chance(5)) return this.#grouped({ from, visible, where, width })
    const targets = Array.from(
      { length: width },
      (_, i) => `${this.#expression(visible)} AS ${NAMES[i]}`,
    )
    const distinct = this.#chance(6) ? 'DISTINCT ' : ''
    return `SELECT ${distinct}${targets.join(', ')} FROM ${from.sql}${where}`
  }

  #grouped(o: { from: Source; visible: readonly string[]; where: string; width: number }): string {
    const key = this.#pick(o.from.columns)
    const aggregates = Array.from({ length: o.width }, (_, i) => {
      const inner = this.#expression(o.visible)
      const kinds = [
        key,
        `MAX(${inner})`,
        `COUNT(${inner})`,
        `GROUP_CONCAT(${inner} ORDER BY ${inner})`,
        `COUNT(DISTINCT ${inner})`,
        'COUNT(*)',
      ]
      return `${this.#pick(kinds)} AS ${NAMES[i]}`
    })
    const having = this.#chance(4) ? ` HAVING ${this.#pick(NAMES.slice(0, o.width))} > '2'` : ''
    return `SELECT ${aggregates.join(', ')} FROM ${o.from.sql}${o.where} GROUP BY ${key}${having}`
  }

  #from(outer: readonly string[]): Source {
    this.#fuel--
    const first = this.#item()
    if (!this.#chance(2)) return first
    const kinds = ['CROSS', 'LEFT', 'INNER', 'RIGHT', 'using', 'natural']
    const kind = this.#pick(this.#lateral ? [...kinds, 'lateral'] : kinds)
    if (kind === 'lateral') {
      const inner = this.query([...first.columns, ...outer])
      const alias = this.#alias()
      const columns = NAMES.slice(0, inner.width).map((name) => `${alias}.${name}`)
      return {
        sql: `${first.sql} CROSS JOIN LATERAL (${inner.sql}) ${alias}`,
        columns: [...first.columns, ...columns],
      }
    }
    if (kind === 'using' || kind === 'natural') return this.#merged(kind)
    const second = this.#item()
    const columns = [...first.columns, ...second.columns]
    if (kind === 'CROSS') return { sql: `${first.sql} CROSS JOIN ${second.sql}`, columns }
    return {
      sql: `${first.sql} ${kind} JOIN ${second.sql} ON ${this.#condition(columns)}`,
      columns,
    }
  }

  #merged(kind: 'using' | 'natural'): Source {
    const [left, right] = this.#pick([
      ['a', 'b'],
      ['b', 'c'],
      ['a', 'c'],
      ['a', 'mixed'],
      ['c', 'g'],
    ] as const)
    const l = this.#alias()
    const r = this.#alias()
    const side = this.#pick(['INNER', 'LEFT', 'RIGHT'])
    const join =
      kind === 'natural'
        ? `${left} ${l} NATURAL ${side === 'INNER' ? '' : side} JOIN ${right} ${r}`
        : `${left} ${l} ${side} JOIN ${right} ${r} USING (k)`
    const rest = (table: string, alias: string) =>
      (TABLES[table] ?? []).map((name) => `${alias}.${name}`)
    return { sql: join, columns: ['k', ...rest(left, l), ...rest(right, r)] }
  }

  #item(): Source {
    const alias = this.#alias()
    if (this.#chance(4)) {
      const { sql, width } = this.query([])
      const columns = NAMES.slice(0, width).map((name) => `${alias}.${name}`)
      return { sql: `(${sql}) ${alias}`, columns }
    }
    if (this.#chance(8)) {
      const { sql, width } = this.query([])
      const columns = NAMES.slice(0, width).map((name) => `${alias}.${name}`)
      return { sql: `(WITH w AS (${sql}) SELECT * FROM w) ${alias}`, columns }
    }
    const table = this.#pick(Object.keys(TABLES))
    return {
      sql: `${table} ${alias}`,
      columns: (TABLES[table] ?? []).map((name) => `${alias}.${name}`),
    }
  }

  #expression(columns: readonly string[]): string {
    this.#fuel--
    if (this.#fuel <= 0 || this.#chance(2)) return this.#pick(columns)
    const sub = () => this.#expression(columns)
    switch (this.#gen(fc.nat(11))) {
      case 0:
        return `'${this.#pick(['a', 'b', 'c', '1'])}'`
      case 1:
        return `UPPER(${sub()})`
      case 2:
        return `CONCAT(${sub()}, ${sub()})`
      case 3:
        return `CASE WHEN ${this.#condition(columns)} THEN ${sub()} ELSE ${sub()} END`
      case 4:
        return `COALESCE(${sub()}, ${sub()})`
      case 5:
        return `NULLIF(${sub()}, ${sub()})`
      case 6:
        return `IF(${this.#condition(columns)}, ${sub()}, ${sub()})`
      case 7: {
        const from = this.#from(columns)
        return `(SELECT MAX(${this.#expression([...from.columns, ...columns])}) FROM ${from.sql})`
      }
      case 8:
        return `GREATEST(${sub()}, ${sub()})`
      case 9:
        return `ELT(1 + (${this.#condition(columns)}), ${sub()}, ${sub()})`
      case 10:
        return `(${this.#condition(columns)})`
      default:
        return `LENGTH(${sub()})`
    }
  }

  #condition(columns: readonly string[]): string {
    this.#fuel--
    const one = () => this.#expression(columns)
    switch (this.#gen(fc.nat(8))) {
      case 0:
        return `${one()} = ${one()}`
      case 1:
        return `${one()} LIKE '%a%'`
      case 2:
        return `${one()} IS NOT NULL`
      case 3: {
        const from = this.#from(columns)
        return `EXISTS (SELECT 1 FROM ${from.sql} WHERE ${this.#condition([...from.columns, ...columns])})`
      }
      case 4: {
        const from = this.#from(columns)
        return `${one()} IN (SELECT ${this.#pick(from.columns)} FROM ${from.sql})`
      }
      case 5:
        return `${one()} IN ('a', 'b', '1', '2')`
      case 6:
        return `NOT (${this.#condition(columns)})`
      case 7:
        return `(${this.#condition(columns)} XOR ${one()} <=> 'b')`
      default:
        return `${one()} < ${one()}`
    }
  }
}

/** A random query's text. MariaDB has no LATERAL. */
export function queries(options: { readonly lateral: boolean }): fc.Arbitrary<string> {
  return fc.gen().map((gen) => {
    const writer = new Writer((arbitrary) => gen(() => arbitrary), options)
    return writer.query([]).sql
  })
}
