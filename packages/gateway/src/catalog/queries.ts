/**
 * The statements that read a PostgreSQL catalog. Every name is qualified: what is in the search_path
 * of the role can't change their meaning. They run with an empty search_path, so pg_get_viewdef and
 * pg_get_expr qualify every name outside pg_catalog.
 *
 * Written for PostgreSQL 13 to 18. https://www.postgresql.org/docs/current/catalogs.html
 */
import {
  COLUMNS_MAX,
  CONSTRAINTS_MAX,
  FIRST_USER_OID,
  FUNCTIONS_MAX,
  LOCK_MS_MAX,
  RELATIONS_MAX,
  STATEMENT_MS_MAX,
} from './limits.ts'

/** One snapshot for everything that follows; settings that change how definitions are printed. */
export const BEGIN = `
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL search_path = '';
SET LOCAL statement_timeout = ${STATEMENT_MS_MAX};
SET LOCAL lock_timeout = ${LOCK_MS_MAX};
SET LOCAL standard_conforming_strings = on;
SET LOCAL quote_all_identifiers = off;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'iso_8601';
SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1`

export const SERVER = `
SELECT pg_catalog.current_database(),
       pg_catalog.current_setting('server_version_num')::pg_catalog.int4`

/** Names of schemas. */
export const SCHEMAS = `SELECT nspname FROM pg_catalog.pg_namespace ORDER BY 1`

/** Names of extensions. */
export const EXTENSIONS = `SELECT extname FROM pg_catalog.pg_extension ORDER BY 1`

/** The relation kinds of CatalogRelation. Indexes and toast tables are not among them. */
const RELATION_KINDS = `'r', 'p', 'v', 'm', 'f', 'S', 'c'`

const typeName = (type: string, namespace: string): string =>
  `CASE WHEN ${namespace}.nspname = 'pg_catalog' THEN ${type}.typname::pg_catalog.text
        ELSE ${namespace}.nspname || '.' || ${type}.typname END`

/** The names of the columns of a relation by their numbers. */
function columnNames(relation: string, numbers: string): string {
  return `(SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY k.place)
          FROM pg_catalog.unnest(${numbers}) WITH ORDINALITY AS k(number, place)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = ${relation} AND a.attnum = k.number AND a.attnum > 0)`
}

/** oid, schema, name, relkind, parents, rules, triggers, row security. */
export const RELATIONS = `
SELECT c.oid::pg_catalog.int8, n.nspname, c.relname, c.relkind::pg_catalog.text,
       p.parents,
       c.oid IN (SELECT ev_class FROM pg_catalog.pg_rewrite
                  WHERE NOT (ev_type = '1' AND rulename = '_RETURN')),
       c.oid IN (SELECT tgrelid FROM pg_catalog.pg_trigger WHERE NOT tgisinternal),
       c.relrowsecurity OR COALESCE(c.reloptions::pg_catalog.text ~* 'security_barrier=(true|on|yes|1)', false)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (
    SELECT i.inhrelid, pg_catalog.array_agg(pn.nspname || '.' || pc.relname ORDER BY i.inhseqno) AS parents
      FROM pg_catalog.pg_inherits i
      JOIN pg_catalog.pg_class pc ON pc.oid = i.inhparent
      JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
     GROUP BY i.inhrelid
  ) p ON p.inhrelid = c.oid
 WHERE c.relkind IN (${RELATION_KINDS})
 ORDER BY c.oid
 LIMIT ${RELATIONS_MAX + 1}`

/**
 * oid, definition of these views. pg_get_viewdef looks at the newest rows and locks what the view reads:
 * null or an error for a view that was dropped since the snapshot, lock_timeout under an ALTER TABLE.
 */
export const DEFINITIONS = `
SELECT v.oid::pg_catalog.int8, pg_catalog.pg_get_viewdef(v.oid)
  FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS v(oid)`

/** oid, schema, name, definition of these views; of a table the names of its columns, as JSON. */
export const CURRENT_DEFINITIONS = `
SELECT c.oid::pg_catalog.int8, n.nspname, c.relname,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid)
            ELSE (SELECT COALESCE(pg_catalog.array_to_json(pg_catalog.array_agg(a.attname ORDER BY a.attnum))::pg_catalog.text, '[]')
                    FROM pg_catalog.pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = ANY ($1::pg_catalog.oid[])`

/** Schema and name of those of these relations that are there. */
export const RELATIONS_THERE = `
SELECT n.nspname, c.relname
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.name[]), pg_catalog.unnest($2::pg_catalog.name[]))
       AS asked (schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = asked.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = asked.name`

/** oid, schema, name, definition of the users' functions of these names. */
export const CURRENT_FUNCTIONS = `
SELECT p.oid::pg_catalog.int8, n.nspname, p.proname,
       CASE WHEN p.prokind = 'f' AND l.lanname IN ('sql', 'plpgsql') THEN pg_catalog.pg_get_functiondef(p.oid) END
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
 WHERE p.proname = ANY ($1::pg_catalog.name[]) AND p.oid >= ${FIRST_USER_OID}`

/**
 * relation oid, name, number, type oid, is generated, generation expression; ordered by relation and
 * number. The expression is null when the relation was dropped since the snapshot.
 */
export const COLUMNS = `
SELECT a.attrelid::pg_catalog.int8, a.attname, a.attnum, a.atttypid::pg_catalog.int8,
       a.attgenerated <> '',
       CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN (${RELATION_KINDS})
  LEFT JOIN pg_catalog.pg_attrdef d
    ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated <> ''
 WHERE a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
 LIMIT ${COLUMNS_MAX + 1}`

/**
 * relation oid, kind (c, x, u, p, f), columns, and of a foreign key the other table's schema, name and
 * columns: what a write may break. Unique indexes stand for primary keys and unique constraints; of one
 * over expressions or with a condition, the columns in them count. A key that is deferrable may be broken until
 * the transaction ends, so it is as any other unique constraint.
 */
export const CONSTRAINTS = `
SELECT c.conrelid::pg_catalog.int8,
       CASE WHEN c.conexclop IS NOT NULL THEN 'x' ELSE c.contype::pg_catalog.text END,
       ${columnNames('c.conrelid', 'c.conkey')}, n.nspname, r.relname,
       ${columnNames('c.confrelid', 'c.confkey')}
  FROM pg_catalog.pg_constraint c
  LEFT JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
 WHERE c.conrelid <> 0 AND (c.contype IN ('c', 'f', 'x') OR c.conexclop IS NOT NULL)
UNION ALL
SELECT i.indrelid::pg_catalog.int8, CASE WHEN i.indisprimary AND i.indimmediate THEN 'p' ELSE 'u' END,
       ${columnNames(
         'i.indrelid',
         `i.indkey::pg_catalog.int2[] || CASE WHEN i.indexprs IS NULL AND i.indpred IS NULL THEN NULL ELSE (
           SELECT pg_catalog.array_agg(d.refobjsubid::pg_catalog.int2) FROM pg_catalog.pg_depend d
            WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
              AND d.refclassid = d.classid AND d.refobjid = i.indrelid) END`,
       )},
       NULL, NULL, NULL
  FROM pg_catalog.pg_index i
 WHERE i.indisunique AND i.indrelid >= ${FIRST_USER_OID}
 LIMIT ${CONSTRAINTS_MAX + 1}`

/** oid, name, schema, bare name of every type, and may its values be rows; null of a relation's, and of users' arrays. */
export const TYPES = `
SELECT t.oid::pg_catalog.int8, ${typeName('t', 'n')}, n.nspname, t.typname,
       CASE WHEN t.typrelid <> 0 OR (t.typarray = 0 AND t.typtype = 'b' AND n.nspname <> 'pg_catalog') THEN NULL
            ELSE t.typtype = 'p' OR COALESCE(b.typtype IN ('c', 'd'), false) END
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype`

/**
 * oid, schema, name, provolatile, language, prokind, security definer, returns set, outputs, return
 * type oid. Functions of the server itself are left out, except those that somebody has replaced: at
 * initdb none is in another language than these three and none is SECURITY DEFINER.
 */
/**
 * Extensions whose functions and operators compute from their arguments: none reads a table or a file, runs SQL
 * or changes a setting, but for those named here. Closed list, after the sources of PostgreSQL's contrib.
 */
const PURE_EXTENSIONS = `'btree_gin', 'btree_gist', 'citext', 'cube', 'earthdistance', 'fuzzystrmatch', 'hstore', 'intarray',
  'isn', 'ltree', 'pg_trgm', 'pgcrypto', 'seg', 'unaccent', 'uuid-ossp', 'vector'`
const IMPURE = `'set_limit', 'show_limit', 'isn_weak'`

/**
 * Is the function \`p\` of language \`l\` one of those? A body in SQL counts only while nobody has written it
 * since the extension was created; an aggregate, only if what it calls is compiled.
 */
const isPure = `(
  NOT p.prosecdef AND p.proname NOT IN (${IMPURE}) AND EXISTS (
    SELECT FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
     WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
       AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname IN (${PURE_EXTENSIONS})
       AND (l.lanname = 'internal' OR l.lanname = 'c' AND p.probin LIKE '$libdir/%'
            OR l.lanname = 'sql' AND p.provolatile = 'i' AND p.xmin = e.xmin))
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_aggregate a
      JOIN pg_catalog.pg_proc f ON f.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
      JOIN pg_catalog.pg_language fl ON fl.oid = f.prolang
     WHERE a.aggfnoid = p.oid AND fl.lanname NOT IN ('internal', 'c')))`

export const FUNCTIONS = `
SELECT p.oid::pg_catalog.int8, n.nspname, p.proname, p.provolatile::pg_catalog.text, l.lanname,
       p.prokind::pg_catalog.text, p.prosecdef, p.proretset,
       CASE WHEN p.proargmodes IS NOT NULL THEN (
              SELECT pg_catalog.array_agg(COALESCE(NULLIF(o.name, ''), 'column' || o.place) ORDER BY o.place)
                FROM (SELECT p.proargnames[m.i] AS name, pg_catalog.row_number() OVER (ORDER BY m.i) AS place
                        FROM pg_catalog.generate_subscripts(p.proargmodes, 1) AS m(i)
                       WHERE p.proargmodes[m.i] IN ('o', 'b', 't')) o)
            WHEN t.typrelid <> 0 THEN (
              SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attnum)
                FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
       END,
       p.prorettype::pg_catalog.int8, ${isPure},
       CASE WHEN p.oid >= ${FIRST_USER_OID} AND p.prokind = 'f' AND l.lanname IN ('sql', 'plpgsql')
            THEN pg_catalog.pg_get_functiondef(p.oid) END,
       p.pronargs - p.pronargdefaults, p.pronargs, p.provariadic <> 0
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  JOIN pg_catalog.pg_type t ON t.oid = p.prorettype
 WHERE $1::pg_catalog.bool OR p.oid >= ${FIRST_USER_OID} OR p.prosecdef
    OR l.lanname NOT IN ('internal', 'c', 'sql')
 ORDER BY p.oid
 LIMIT ${FUNCTIONS_MAX + 1}`

/**
 * What calls a user function that is not pure without naming it: operators by their name; casts as \`::target\`, and
 * the input and output functions of base types as \`::type\`.
 */
export const OPERATORS = `
SELECT u.name, n.nspname || '.' || p.proname, u.left_type::pg_catalog.text, u.right_type::pg_catalog.text
  FROM (
    SELECT o.oprname::pg_catalog.text AS name, o.oprcode::pg_catalog.oid AS function,
           o.oprleft AS left_type, o.oprright AS right_type
      FROM pg_catalog.pg_operator o
    UNION
    SELECT '::' || ${typeName('t', 'tn')}, c.castfunc, NULL, NULL
      FROM pg_catalog.pg_cast c
      JOIN pg_catalog.pg_type t ON t.oid = c.casttarget
      JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
    UNION
    SELECT '::' || ${typeName('t', 'tn')}, f.function, NULL, NULL
      FROM pg_catalog.pg_type t
      JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
     CROSS JOIN LATERAL (VALUES (t.typinput::pg_catalog.oid), (t.typoutput::pg_catalog.oid)) AS f(function)
     WHERE t.typtype = 'b'
  ) u
  JOIN pg_catalog.pg_proc p ON p.oid = u.function AND p.oid >= ${FIRST_USER_OID}
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
 WHERE NOT ${isPure}
 ORDER BY 1, 2, 3, 4`

const part = (table: string, key: string, where = 'true'): string =>
  `SELECT '${table}' AS part, pg_catalog.count(*) AS n,
          pg_catalog.sum(pg_catalog.hashtextextended(${key} || ':' || x.xmin::pg_catalog.text, 0)) AS s
     FROM pg_catalog.${table} x WHERE ${where}`

const notTransient = (relation: string): string => `${relation} NOT IN (SELECT oid FROM transient)`
const notTemporary = (namespace: string): string =>
  `${namespace} NOT IN (SELECT oid FROM temporary)`

/**
 * The change probe: one value that changes with any change to the rows that the statements above read,
 * but for temporary tables.
 *
 * Every way to change a catalog row but one writes a new row version, and a row version carries the
 * transaction that wrote it in xmin; so the set of (key, xmin) pairs changes with every change. The one
 * exception is heap_inplace_update, which VACUUM, ANALYZE and CREATE INDEX use on columns of pg_class
 * that nobody reads here (relpages, relfrozenxid, relhasindex, …); it keeps xmin, so they cause no
 * reload. Freezing keeps xmin too (since 9.4).
 * What is hashed is that set: the number of rows and the sum of 64-bit hashes, table by table.
 *
 * Temporary tables (with their columns, types, sequences and indexes) are left out: sessions make them
 * by the second, nobody else can read them, and what flows into them was decided when it was written.
 * Temporary views are in: they compute.
 *
 * Two limits: after 2^32 transactions the same xmin could come again for the same key within one probe
 * interval, and a promoted standby may give out again an xmin that was lost with the old primary. A
 * promotion breaks connections, and the store never compares probes across connections.
 */
export const PROBE = `
WITH temporary AS (
  SELECT oid FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_[0-9]+$'
), transient AS (
  SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't' AND relkind <> 'v'
)
SELECT pg_catalog.md5(pg_catalog.string_agg(part || n || ':' || COALESCE(s, 0), ',' ORDER BY part)) FROM (
${[
  part('pg_namespace', 'x.oid', notTemporary('x.oid')),
  part('pg_class', 'x.oid', notTransient('x.oid')),
  part('pg_attribute', `x.attrelid || '.' || x.attnum`, notTransient('x.attrelid')),
  part('pg_attrdef', 'x.oid', notTransient('x.adrelid')),
  part('pg_inherits', `x.inhrelid || '.' || x.inhseqno`, notTransient('x.inhrelid')),
  part('pg_constraint', 'x.oid', notTransient('x.conrelid')),
  part('pg_index', 'x.indexrelid', notTransient('x.indrelid')),
  part('pg_rewrite', 'x.oid', notTransient('x.ev_class')),
  part('pg_trigger', 'x.oid', notTransient('x.tgrelid')),
  part('pg_type', 'x.oid', notTemporary('x.typnamespace')),
  part('pg_language', 'x.oid'),
  part('pg_extension', 'x.oid'),
  part('pg_proc', 'x.oid'),
  part('pg_operator', 'x.oid'),
  part('pg_cast', 'x.oid'),
].join('\nUNION ALL\n')}
) AS parts`
