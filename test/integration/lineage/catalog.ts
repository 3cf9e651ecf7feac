/** Reads a schema snapshot from a real server, for tests of lineage. */
import type { CatalogColumn, CatalogData, CatalogFunction, CatalogRelation } from '@sallyport/sql'

export type Query = <R>(text: string) => Promise<R[]>

const KINDS: Readonly<Record<string, CatalogRelation['kind']>> = {
  r: 'table',
  p: 'partitioned-table',
  v: 'view',
  m: 'materialized-view',
  f: 'foreign-table',
  S: 'sequence',
  c: 'composite',
}

const RELATIONS = `
select c.oid::int4 as id, n.nspname as schema, c.relname as name, c.relkind as kind,
       case when c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
            then pg_get_viewdef(c.oid) end as definition,
       array(select pn.nspname || '.' || pc.relname from pg_inherits i join pg_class pc on pc.oid = i.inhparent
               join pg_namespace pn on pn.oid = pc.relnamespace where i.inhrelid = c.oid) as parents,
       (select coalesce(json_agg(json_build_object('name', a.attname, 'number', a.attnum, 'type', case when t.typnamespace = 'pg_catalog'::regnamespace then t.typname else t.typnamespace::regnamespace || '.' || t.typname end,
               'typeId', a.atttypid::int4, 'generated',
               case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end) order by a.attnum), '[]')
          from pg_attribute a join pg_type t on t.oid = a.atttypid
          left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
       exists (select from pg_rewrite r where r.ev_class = c.oid and r.rulename <> '_RETURN') as rules,
       c.relhastriggers as triggers, c.relrowsecurity as rowsecurity
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c') and n.nspname !~ '^pg_toast'`

const FUNCTIONS = `
select p.oid::int4 as id, n.nspname as schema, p.proname as name, p.provolatile as volatility, l.lanname as language,
       p.prokind as kind, p.prosecdef as "securityDefiner", p.proretset as "returnsSet", case when t.typnamespace = 'pg_catalog'::regnamespace then t.typname else t.typnamespace::regnamespace || '.' || t.typname end as "returnType",
       coalesce((select array_agg(a order by o) from unnest(p.proargnames, p.proargmodes::text[]) with ordinality u(a, m, o)
         where m in ('o', 'b', 't')), '{}') as outputs
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
  join pg_type t on t.oid = p.prorettype
 where p.oid >= 16384`

interface RelationRow {
  id: number
  schema: string
  name: string
  kind: string
  definition: string | null
  parents: string[]
  columns: (Omit<CatalogColumn, 'generated'> & { generated: string | null })[]
  rules: boolean
  triggers: boolean
  rowsecurity: boolean
}

interface FunctionRow extends Omit<CatalogFunction, 'volatility' | 'kind' | 'builtin'> {
  volatility: string
  kind: string
}

export async function readCatalog(query: Query): Promise<CatalogData> {
  await query("set search_path = ''")
  const relations = await query<RelationRow>(RELATIONS)
  const functions = await query<FunctionRow>(FUNCTIONS)
  await query('reset search_path')
  return {
    database: 'test',
    serverVersion: 180000,
    relations: relations.map((row) => ({
      id: row.id,
      schema: row.schema,
      name: row.name,
      kind: KINDS[row.kind] ?? 'table',
      columns: row.columns.map(({ generated, ...column }) =>
        generated === null ? column : { ...column, generated },
      ),
      ...(row.definition === null ? {} : { definition: row.definition }),
      parents: row.parents,
      rules: row.rules,
      triggers: row.triggers,
      rowSecurity: row.rowsecurity,
    })),
    functions: functions.map((row) => ({
      ...row,
      volatility:
        row.volatility === 'i' ? 'immutable' : row.volatility === 's' ? 'stable' : 'volatile',
      kind:
        row.kind === 'a'
          ? 'aggregate'
          : row.kind === 'w'
            ? 'window'
            : row.kind === 'p'
              ? 'procedure'
              : 'function',
      builtin: false,
    })),
    userOperators: [],
  }
}
