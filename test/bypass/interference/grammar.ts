/**
 * A grammar of statements over the tables of the worlds: typed expressions, every clause of SELECT, subqueries,
 * CTEs, set operations, data-modifying statements. What an engine has of all that is its Language. Most of what
 * the grammar makes is valid SQL; what it makes may be refused, but what is accepted must not tell the two worlds
 * apart.
 *
 * Constants are none of the values of either world: whether a value equals a constant may be asked.
 */
import fc, { type Arbitrary } from 'fast-check'

export type Type = 'text' | 'int' | 'num' | 'date' | 'bool' | 'json' | 'array'

export interface Column {
  readonly name: string
  readonly type: Type
}
interface Source {
  /** As in FROM, with its alias. */
  readonly text: string
  readonly alias: string
  readonly columns: readonly Column[]
}

/** Lists are picked from; what stands in one twice comes twice as often. `#same` is what filled the first hole again. */
export interface Language {
  readonly relations: Readonly<Record<string, readonly Column[]>>
  readonly types: readonly Type[]
  readonly constants: Readonly<Record<Type, readonly string[]>>
  /** Expressions by the type they give; `#text` stands for one of that type, `#const_text` for a constant. */
  readonly forms: Readonly<Record<Type, readonly string[]>>
  readonly aggregates: readonly string[]
  readonly windows: readonly string[]
  readonly havings: readonly string[]
  /** Subqueries as expressions: `#` is an expression, `^` a relation with its condition. */
  readonly scalars: readonly string[]
  readonly joins: readonly string[]
  readonly laterals: readonly string[]
  /** Behind ORDER BY. */
  readonly limits: readonly string[]
  readonly setOperations: readonly string[]
  /** Between AS and the query of a CTE. */
  readonly ctes: readonly string[]
  /** Statements that only this engine has: `^` is a relation under the alias `t`, whose columns fill the rest. */
  readonly templates: readonly string[]
  /** An alias may stand for its row. */
  readonly wholeRows: boolean
  readonly returning: boolean
  /** A query inside another statement. */
  readonly wrapped: (select: string) => string
}

export const columns = (text: string): readonly Column[] =>
  text.split(' ').map((word) => {
    const [name = '', type = 'text'] = word.split(':')
    return { name, type: type as Type }
  })

const pick = <T>(list: readonly T[]): Arbitrary<T> => fc.constantFrom(...list)

const HOLE = /#(const_)?(text|int|num|date|bool|json|array)/g

export class Grammar {
  readonly #language: Language

  constructor(language: Language) {
    this.#language = language
  }

  /** An expression of a type over the columns in sight; `depth` bounds its nesting. */
  #expression(type: Type, scope: readonly Source[], depth: number): Arbitrary<string> {
    const named = scope.flatMap(({ alias, columns: all }) =>
      all.filter((column) => column.type === type).map((column) => `${alias}.${column.name}`),
    )
    const leaves = [...named.map((name) => fc.constant(name)), pick(this.#language.constants[type])]
    if (depth === 0) return fc.oneof(...leaves)
    const deeper = pick(this.#language.forms[type]).chain((form) =>
      this.#filled(form, scope, depth - 1),
    )
    return fc.oneof({ weight: 4, arbitrary: fc.oneof(...leaves) }, { weight: 3, arbitrary: deeper })
  }

  #filled(form: string, scope: readonly Source[], depth: number): Arbitrary<string> {
    const holes = [...form.matchAll(HOLE)].map(([, constant, type]) =>
      constant === undefined
        ? this.#expression(type as Type, scope, depth)
        : pick(this.#language.constants[type as Type]),
    )
    return fc.tuple(...holes).map((values) => {
      let index = 0
      return form
        .replaceAll(HOLE, () => String(values[index++]))
        .replaceAll('#same', () => String(values[0]))
    })
  }

  #anyExpression(scope: readonly Source[], depth: number): Arbitrary<string> {
    return pick(this.#language.types).chain((type) => this.#expression(type, scope, depth))
  }

  #relation(alias: string): Arbitrary<Source> {
    return pick(Object.keys(this.#language.relations)).map((name) => ({
      text: `${name} ${alias}`,
      alias,
      columns: this.#language.relations[name] ?? [],
    }))
  }

  /** A query in FROM: its columns are `c1`, `c2`, ... */
  #derivedTable(alias: string, depth: number): Arbitrary<Source> {
    return this.#relation(`${alias}_i`).chain((source) =>
      fc
        .tuple(
          fc.array(
            pick(['text', 'int', 'num', 'bool'] as const).chain((type) =>
              this.#expression(type, [source], depth).map((text) => ({ type, text })),
            ),
            { minLength: 1, maxLength: 3 },
          ),
          this.#tail([source], depth),
          pick(this.#language.laterals),
        )
        .map(([targets, rest, lateral]) => ({
          text: `${lateral}(SELECT ${targets.map(({ text }, i) => `${text} AS c${i + 1}`).join(', ')} FROM ${source.text}${rest}) ${alias}`,
          alias,
          columns: targets.map(({ type }, i) => ({ name: `c${i + 1}`, type })),
        })),
    )
  }

  #source(alias: string, depth: number): Arbitrary<Source> {
    return fc.oneof(
      { weight: 4, arbitrary: this.#relation(alias) },
      { weight: depth > 0 ? 1 : 0, arbitrary: this.#derivedTable(alias, Math.max(0, depth - 1)) },
    )
  }

  /** One or two sources, with how they are joined. */
  #from(depth: number): Arbitrary<{ readonly text: string; readonly scope: readonly Source[] }> {
    const one = this.#source('t', depth).map((s) => ({
      text: s.text,
      scope: [s] as readonly Source[],
    }))
    const two = fc.tuple(this.#source('t', depth), this.#source('u', depth)).chain(([t, u]) =>
      fc
        .tuple(pick(this.#language.joins), this.#expression('bool', [t, u], 1))
        .map(([kind, condition]) => ({
          text:
            kind === 'cross'
              ? `${t.text}, ${u.text}`
              : `${t.text} ${kind} ${u.text} ON ${condition}`,
          scope: [t, u] as readonly Source[],
        })),
    )
    return fc.oneof({ weight: 3, arbitrary: one }, { weight: 2, arbitrary: two })
  }

  /** WHERE, and what cuts or orders the rows. */
  #tail(scope: readonly Source[], depth: number): Arbitrary<string> {
    return fc
      .tuple(
        fc.option(this.#expression('bool', scope, depth), { nil: null, freq: 2 }),
        fc.option(this.#anyExpression(scope, Math.min(1, depth)), { nil: null, freq: 4 }),
        pick(this.#language.limits),
      )
      .map(([where, order, limit]) =>
        [
          where === null ? '' : ` WHERE ${where}`,
          // Which rows come first is asked only where an order is: else the plan says, and plans differ.
          order === null ? '' : ` ORDER BY ${order}, 1${limit}`,
        ].join(''),
      )
  }

  #plainSelect(depth: number): Arbitrary<string> {
    return this.#from(depth).chain(({ text, scope }) =>
      fc
        .tuple(
          fc.array(
            fc.oneof(
              { weight: 5, arbitrary: this.#anyExpression(scope, depth) },
              {
                weight: 1,
                arbitrary: pick(this.#language.windows).chain((form) =>
                  this.#filled(form, scope, 1),
                ),
              },
              {
                weight: 1,
                arbitrary: pick([
                  ...scope.map(({ alias }) => `${alias}.*`),
                  ...(this.#language.wholeRows ? scope.map(({ alias }) => alias) : []),
                  '*',
                ]),
              },
              { weight: 1, arbitrary: this.#scalar(scope) },
            ),
            { minLength: 1, maxLength: 3 },
          ),
          pick(['', '', '', '', 'DISTINCT ']),
          this.#tail(scope, depth),
        )
        .map(
          ([targets, distinct, rest]) =>
            `SELECT ${distinct}${targets.join(', ')} FROM ${text}${rest}`,
        ),
    )
  }

  #groupedSelect(depth: number): Arbitrary<string> {
    return this.#from(depth).chain(({ text, scope }) =>
      fc
        .tuple(
          fc.option(this.#anyExpression(scope, 1), { nil: null }),
          fc.array(
            pick(this.#language.aggregates).chain((form) => this.#filled(form, scope, 1)),
            { minLength: 1, maxLength: 2 },
          ),
          fc.option(this.#expression('bool', scope, 1), { nil: null }),
          fc.option(
            pick(this.#language.havings).chain((form) => this.#filled(form, scope, 1)),
            { nil: null, freq: 3 },
          ),
        )
        .map(([key, aggregates, where, having]) =>
          [
            `SELECT ${[...(key === null ? [] : [key]), ...aggregates].join(', ')} FROM ${text}`,
            where === null ? '' : ` WHERE ${where}`,
            key === null ? '' : ' GROUP BY 1',
            having === null ? '' : ` HAVING ${having}`,
          ].join(''),
        ),
    )
  }

  /** A subquery as an expression over what is in sight. */
  #scalar(scope: readonly Source[]): Arbitrary<string> {
    return this.#relation('s').chain((inner) =>
      fc
        .tuple(
          pick(this.#language.scalars),
          this.#expression('text', [inner, ...scope], 1),
          fc.option(this.#expression('bool', [inner, ...scope], 1), { nil: null }),
        )
        .map(([form, target, where]) =>
          form
            .replace('#', target)
            .replace('^', `${inner.text}${where === null ? '' : ` WHERE ${where}`}`),
        ),
    )
  }

  #setOperation(depth: number): Arbitrary<string> {
    const branch = this.#from(0).chain(({ text, scope }) =>
      fc
        .tuple(
          this.#expression('text', scope, depth),
          this.#expression('int', scope, depth),
          fc.option(this.#expression('bool', scope, 1), { nil: null }),
        )
        .map(
          ([a, b, where]) =>
            `SELECT ${a}, ${b} FROM ${text}${where === null ? '' : ` WHERE ${where}`}`,
        ),
    )
    return fc
      .tuple(branch, pick(this.#language.setOperations), branch)
      .map(([a, operation, b]) => `${a} ${operation} ${b}`)
  }

  #withCte(depth: number): Arbitrary<string> {
    return fc
      .tuple(this.#plainSelect(0), pick(this.#language.ctes), this.#derivedTable('t', depth))
      .map(
        ([inner, kind, outer]) =>
          `WITH c AS ${kind}(${inner}), d AS (SELECT * FROM ${outer.text}) SELECT d.*, (SELECT count(*) FROM c) FROM d`,
      )
  }

  /** Inside a transaction that is rolled back. */
  #change(depth: number): Arbitrary<string> {
    const target = pick(['people', 'notes', 'accounts']).map(
      (name): Source => ({
        text: name,
        alias: name,
        columns: this.#language.relations[name] ?? [],
      }),
    )
    return target.chain((t) => {
      const settable = t.columns.filter(({ name }) => name !== 'id')
      const assignment = pick(settable).chain(({ name, type }) =>
        this.#expression(type, [t], depth).map((value) => `${name} = ${value}`),
      )
      const where = fc.option(this.#expression('bool', [t], depth), { nil: null, freq: 4 })
      const returning = this.#language.returning
        ? fc.option(this.#anyExpression([t], depth), { nil: null })
        : fc.constant(null)
      const end = ([condition, back]: [string | null, string | null]): string =>
        `${condition === null ? '' : ` WHERE ${condition}`}${back === null ? '' : ` RETURNING id, ${back}`}`
      return fc.oneof(
        fc
          .tuple(assignment, where, returning)
          .map(([set, w, r]) => `UPDATE ${t.text} SET ${set}${end([w, r])}`),
        fc.tuple(where, returning).map((rest) => `DELETE FROM ${t.text}${end(rest)}`),
        fc
          .tuple(
            this.#relation('s').chain((s) =>
              fc.tuple(fc.constant(s), this.#expression('text', [s], depth)),
            ),
            returning,
          )
          .map(
            ([[s, value]]) =>
              `INSERT INTO notes (id, body) SELECT s.id + 500, ${value} FROM ${s.text} ORDER BY 1${this.#language.returning ? ' RETURNING body' : ''}`,
          ),
      )
    })
  }

  #template(depth: number): Arbitrary<string> {
    return fc
      .tuple(pick(this.#language.templates), this.#relation('t'))
      .chain(([form, source]) => this.#filled(form.replaceAll('^', source.text), [source], depth))
  }

  /** Statements; what changes something says so by its first word. */
  statements(depth = 2): Arbitrary<string> {
    return fc.oneof(
      { weight: 8, arbitrary: this.#plainSelect(depth) },
      { weight: 4, arbitrary: this.#groupedSelect(depth) },
      { weight: 2, arbitrary: this.#setOperation(1) },
      { weight: 2, arbitrary: this.#withCte(1) },
      { weight: 2, arbitrary: this.#change(1) },
      { weight: 1, arbitrary: this.#plainSelect(1).map(this.#language.wrapped) },
      ...(this.#language.templates.length === 0
        ? []
        : [{ weight: 2, arbitrary: this.#template(1) }]),
    )
  }
}
