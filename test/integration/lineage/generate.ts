/**
 * Random queries over a small schema of text columns, deterministic in what they return as a set, so that
 * a change of one column's data shows which outputs depend on it.
 */
import fc from 'fast-check'

export const FUZZ_SCHEMA = `
create table a (k text, x text, y text);
create table b (k text, x text, z text);
create table c (k text, y text, w text);
create table part (k text, v text) partition by list (k);
create table part_1 partition of part for values in ('1', '2');
create table part_2 (v text, k text);
alter table part attach partition part_2 default;
create view av as select k as id, x as secret, upper(y) as loud from a;
create view nested (one, two) as select id || '', secret from av where loud is not null;
create view mixed as select k, x from a union all select k, z from b;
insert into a select i::text, chr(96 + i), chr(100 + i % 3) from generate_series(1, 4) i;
insert into b select (i % 3)::text, chr(97 + i), chr(97 + i % 2) from generate_series(1, 5) i;
insert into c select i::text, chr(99 + i), chr(96 + i) from generate_series(1, 3) i;
insert into part select i::text, chr(96 + i) from generate_series(1, 4) i;
`

/** Base columns whose data the test changes; the partition key stays. */
export const FUZZ_COLUMNS = [
  'a.k',
  'a.x',
  'a.y',
  'b.k',
  'b.x',
  'b.z',
  'c.k',
  'c.y',
  'c.w',
  'part.v',
  'part_1.v',
  'part_2.v',
]

interface Source {
  readonly sql: string
  /** Columns by qualified name. */
  readonly columns: readonly string[]
}

const TABLES: Readonly<Record<string, readonly string[]>> = {
  a: ['k', 'x', 'y'],
  b: ['k', 'x', 'z'],
  c: ['k', 'y', 'w'],
  part: ['k', 'v'],
  part_1: ['k', 'v'],
  part_2: ['v', 'k'],
  av: ['id', 'secret', 'loud'],
  nested: ['one', 'two'],
  mixed: ['k', 'x'],
}

type Gen = <T>(arbitrary: fc.Arbitrary<T>) => T

class Writer {
  readonly #gen: Gen
  #aliases = 0
  #fuel = 22

  constructor(gen: Gen) {
    this.#gen = gen
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
    const operation = this.#pick(['union', 'union all', 'except', 'intersect'])
    return {
      sql: `(${this.#select(outer, width)}) ${operation} (${this.#select(outer, width)})`,
      width,
    }
  }

  #select(outer: readonly string[], width: number): string {
    const from = this.#from(outer)
    const visible = [...from.columns, ...outer]
    const where = this.#chance(2) ? ` where ${this.#condition(visible)}` : ''
    if (this.#chance(5)) return this.#grouped({ from, visible, where, width })
    const names = ['p', 'q', 'r']
    const targets = Array.from(
      { length: width },
      (_, i) => `${this.#expression(visible)} as ${names[i]}`,
    )
    const distinct = this.#chance(6) ? 'distinct ' : ''
    return `select ${distinct}${targets.join(', ')} from ${from.sql}${where}`
  }

  #grouped(o: { from: Source; visible: readonly string[]; where: string; width: number }): string {
    const key = this.#pick(o.from.columns)
    const names = ['p', 'q', 'r']
    const aggregates = Array.from({ length: o.width }, (_, i) => {
      const inner = this.#expression(o.visible)
      const kinds = [
        key,
        `max(${inner})`,
        `count(${inner})::text`,
        `string_agg(${inner}, ',' order by ${inner})`,
        `count(*) filter (where ${inner} is null)::text`,
        'count(*)::text',
      ]
      return `${this.#pick(kinds)} as ${names[i]}`
    })
    return `select ${aggregates.join(', ')} from ${o.from.sql}${o.where} group by ${key}`
  }

  #from(outer: readonly string[]): Source {
    this.#fuel--
    const first = this.#item(outer)
    if (!this.#chance(2)) return first
    const kind = this.#pick(['cross', 'left', 'inner', 'lateral', 'using', 'natural', 'full'])
    if (kind === 'lateral') {
      const inner = this.query([...first.columns, ...outer])
      const alias = this.#alias()
      const columns = ['p', 'q', 'r'].slice(0, inner.width).map((name) => `${alias}.${name}`)
      return {
        sql: `${first.sql} cross join lateral (${inner.sql}) ${alias}`,
        columns: [...first.columns, ...columns],
      }
    }
    if (kind === 'using' || kind === 'natural' || kind === 'full') return this.#merged(kind)
    const second = this.#item(outer)
    const columns = [...first.columns, ...second.columns]
    if (kind === 'cross') return { sql: `${first.sql} cross join ${second.sql}`, columns }
    return {
      sql: `${first.sql} ${kind} join ${second.sql} on ${this.#condition(columns)}`,
      columns,
    }
  }

  #merged(kind: 'using' | 'natural' | 'full'): Source {
    const [left, right] = this.#pick([
      ['a', 'b'],
      ['b', 'c'],
      ['a', 'c'],
      ['a', 'mixed'],
      ['c', 'part'],
    ] as const)
    const l = this.#alias()
    const r = this.#alias()
    const join =
      kind === 'natural'
        ? `${left} ${l} natural join ${right} ${r}`
        : `${left} ${l} ${kind === 'full' ? 'full' : this.#pick(['inner', 'left', 'right'])} join ${right} ${r} using (k)`
    const rest = (table: string, alias: string) =>
      (TABLES[table] ?? []).map((name) => `${alias}.${name}`)
    return { sql: join, columns: ['k', ...rest(left, l), ...rest(right, r)] }
  }

  #item(outer: readonly string[]): Source {
    const alias = this.#alias()
    if (this.#chance(4)) {
      const { sql, width } = this.query([])
      const columns = ['p', 'q', 'r'].slice(0, width).map((name) => `${alias}.${name}`)
      return { sql: `(${sql}) ${alias}`, columns }
    }
    if (this.#chance(8)) {
      const { sql, width } = this.query([])
      const columns = ['p', 'q', 'r'].slice(0, width).map((name) => `${alias}.${name}`)
      return { sql: `(with w as (${sql}) select * from w) ${alias}`, columns }
    }
    if (outer.length > 0 && this.#chance(8)) {
      return {
        sql: `unnest(string_to_array(${this.#pick(outer)}, 'c')) ${alias}(p)`,
        columns: [`${alias}.p`],
      }
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
        return `'${this.#pick(['a', 'b', 'c', '1'])}'::text`
      case 1:
        return `upper(${sub()})`
      case 2:
        return `(${sub()} || ${sub()})`
      case 3:
        return `case when ${this.#condition(columns)} then ${sub()} else ${sub()} end`
      case 4:
        return `coalesce(${sub()}, ${sub()})`
      case 5:
        return `nullif(${sub()}, ${sub()})`
      case 6:
        return `(${this.#condition(columns)})::text`
      case 7: {
        const from = this.#from(columns)
        return `(select max(${this.#expression([...from.columns, ...columns])}) from ${from.sql})`
      }
      case 8:
        return `greatest(${sub()}, ${sub()})`
      case 9:
        return `(row(${sub()}, ${sub()}))::text`
      case 10:
        return `(array[${sub()}, ${sub()}])[1]`
      default:
        return `length(${sub()})::text`
    }
  }

  #condition(columns: readonly string[]): string {
    this.#fuel--
    const one = () => this.#expression(columns)
    switch (this.#gen(fc.nat(7))) {
      case 0:
        return `${one()} = ${one()}`
      case 1:
        return `${one()} like '%a%'`
      case 2:
        return `${one()} is not null`
      case 3: {
        const from = this.#from(columns)
        return `exists (select from ${from.sql} where ${this.#condition([...from.columns, ...columns])})`
      }
      case 4: {
        const from = this.#from(columns)
        return `${one()} in (select ${this.#pick(from.columns)} from ${from.sql})`
      }
      case 5:
        return `${one()} in ('a', 'b', '1', '2')`
      case 6:
        return `not (${this.#condition(columns)})`
      default:
        return `${one()} < ${one()}`
    }
  }
}

/** A random query's text. */
export const queries: fc.Arbitrary<string> = fc.gen().map((gen) => {
  const writer = new Writer((arbitrary) => gen(() => arbitrary))
  return writer.query([]).sql
})
