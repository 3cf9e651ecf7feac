/** A small schema and shorthands for unit tests of the reader; not part of the package's surface. */
import { buildCatalog } from '../../build-catalog.ts'
import type { Catalog, CatalogFunction, CatalogRelation } from '../../catalog.ts'
import type { ColumnRef, ColumnUse, Lineage, StatementFacts } from '../../facts.ts'
import type { Dialect } from '../ast.ts'
import type { MysqlContext, MysqlNames } from '../context.ts'
import { MYSQL } from '../fixtures.ts'
import { MysqlReader } from '../reader.ts'

/** `db.name`, in `crm` by default; columns as `name:type`, of type varchar by default. */
export function relation(
  name: string,
  columns: string,
  more: Partial<CatalogRelation> = {},
): CatalogRelation {
  const [bare = '', schema = 'crm'] = name.split('.').reverse()
  return {
    id: 0,
    schema,
    name: bare,
    kind: 'table',
    columns: columns.split(' ').map((column, index) => {
      const [columnName = '', type = 'varchar'] = column.split(':')
      return { name: columnName, number: index + 1, type, typeId: 0 }
    }),
    parents: [],
    rules: false,
    triggers: false,
    rowSecurity: false,
    constraints: [],
    ...more,
  }
}

export function storedFunction(name: string, schema = 'crm'): CatalogFunction {
  return {
    id: 0,
    schema,
    name,
    volatility: 'volatile',
    language: 'sql',
    kind: 'function',
    securityDefiner: true,
    returnsSet: false,
    outputs: [],
    returnType: 'varchar',
    builtin: false,
  }
}

export const RELATIONS: readonly CatalogRelation[] = [
  relation('people', 'id:int name ssn email dept:int active:tinyint pay:decimal profile:json'),
  relation('orders', 'id:int person:int total:decimal note'),
  relation('dept', 'id:int title'),
  relation('contacts', 'id:int mail', {
    kind: 'view',
    definition:
      "select `crm`.`people`.`id` AS `id`,`crm`.`people`.`email` AS `mail` from `crm`.`people` where `crm`.`people`.`ssn` like '1%'",
  }),
  relation('low', 'id:int l', {
    kind: 'view',
    definition:
      'select `crm`.`contacts`.`id` AS `id`,lcase(`crm`.`contacts`.`mail`) AS `l` from `crm`.`contacts`',
  }),
  relation('looped', 'x', {
    kind: 'view',
    definition: 'select `crm`.`looped`.`x` AS `x` from `crm`.`looped`',
  }),
  relation('broken', 'x', { kind: 'view', definition: 'select this does not parse' }),
  relation('other.people', 'id:int nick'),
  relation('seq', 'next_not_cached_value:bigint', { kind: 'sequence' }),
  {
    ...relation('gen', 'a b'),
    columns: [
      { name: 'a', number: 1, type: 'varchar', typeId: 0 },
      { name: 'b', number: 2, type: 'varchar', typeId: 0, generated: 'upper(`a`)' },
    ],
  },
  {
    ...relation('hidden', 'a b'),
    columns: [
      { name: 'a', number: 1, type: 'varchar', typeId: 0 },
      { name: 's', number: 2, type: 'varchar', typeId: 0, invisible: true },
      { name: 'b', number: 3, type: 'varchar', typeId: 0 },
    ],
  },
  relation('information_schema.TABLES', 'TABLE_SCHEMA TABLE_NAME'),
]

export function catalogOf(
  relations: readonly CatalogRelation[] = RELATIONS,
  {
    functions = [storedFunction('secret')],
    lowerCaseTableNames = 0,
  }: {
    readonly functions?: readonly CatalogFunction[]
    readonly lowerCaseTableNames?: 0 | 1 | 2
  } = {},
): Catalog {
  return buildCatalog(
    {
      database: '',
      serverVersion: 90704,
      relations,
      functions,
      userOperators: [],
      mysql: { flavour: 'mysql', lowerCaseTableNames },
    },
    1,
  )
}

export const NAMES: MysqlNames = {
  database: 'crm',
  databaseCertain: true,
  temporaries: new Map(),
  temporariesCertain: true,
  sqlMode: 'STRICT_TRANS_TABLES',
  prepared: () => undefined,
  handlers: () => undefined,
}

const reader = new MysqlReader()
const catalog = catalogOf()

export interface More {
  readonly catalog?: Catalog | null
  readonly names?: Partial<MysqlNames>
  readonly dialect?: Partial<Dialect>
}

export function analysisOf(sql: string, more: More = {}) {
  const context: MysqlContext = {
    catalog: more.catalog === undefined ? catalog : more.catalog,
    names: { ...NAMES, ...more.names },
    dialect: { ...MYSQL, ...more.dialect },
  }
  return reader.analyze(sql, context)
}

/** Facts of a text's only statement. */
export function factsOf(sql: string, more: More = {}): StatementFacts {
  const analysis = analysisOf(sql, more)
  if (analysis.kind !== 'statements') throw new Error(`${analysis.code}: ${analysis.message}`)
  return analysis.statements[0]!
}

export const columnText = (ref: ColumnRef) =>
  `${ref.schema === 'crm' ? '' : `${ref.schema}.`}${ref.relation}.${ref.column}`

/** `=t.c` direct, `~t.c,t.d` derived, `#t.c` derived without a value, `-` constant, `?t.c` unknown. */
export function lineageText(lineage: Lineage): string {
  switch (lineage.kind) {
    case 'constant':
      return '-'
    case 'direct':
      return `=${columnText(lineage.source)}`
    case 'derived':
      return `${lineage.revealsNoValue ? '#' : '~'}${lineage.sources.map(columnText).join(',')}`
    case 'unknown':
      return `?${lineage.sources.map(columnText).join(',')}`
  }
}

/** Outputs as `name=t.c name2~t.d`; `unknown` or `none` where there is no list. */
export function outputsText({ outputs }: StatementFacts): string {
  if (outputs === null) return 'none'
  if (outputs === 'unknown') return 'unknown'
  return outputs.map((output) => output.name + lineageText(output.lineage)).join(' ')
}

export function usesText({ uses }: StatementFacts): string {
  const text = (use: ColumnUse) =>
    `${columnText(use.column)} ${use.context}${use.with === undefined ? '' : ` ${columnText(use.with)}`}`
  return uses.map(text).sort().join('; ')
}

/** `read crm.people`, ... */
export function relationsText({ relations }: StatementFacts): string {
  return relations
    .map(({ access, schema, name, kind, through }) =>
      [access, `${schema ?? '?'}.${name}`, kind, through === undefined ? '' : `<${through}`]
        .join(' ')
        .trim(),
    )
    .sort()
    .join('; ')
}
