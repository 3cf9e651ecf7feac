/**
 * Which built-in operations may fail, or take long, for some values of an operand and not for others.
 *
 * Whether a statement fails is one bit that masks cannot hide, so this lists what never fails; everything else
 * may. "Never" leaves aside what no client can steer: no memory, values at the edge of what a type can hold that
 * nothing was added to. What is built from several operands can be steered past the longest value (1 GiB):
 * see COPIES_MAX.
 */
import { COPIES_MAX } from '../limits.ts'
import type { Value } from '../lineage/value.ts'

const words = (text: string) => text.split(/\s+/).filter((word) => word !== '')

/**
 * Functions that fail for no value; `name:1,2` for none but of these arguments (0-based). Names stand for all
 * overloads. Source: the server's own code (`ereport` in the functions of pg_proc), PostgreSQL 18.
 */
const TOTAL = `
ascii bit_length btrim casefold char_length character_length concat concat_ws initcap left length lower lpad:1 ltrim
md5 normalize:1 octet_length overlay:2,3 position quote_ident quote_literal quote_nullable replace:2 reverse right rpad:1 rtrim
split_part:2 starts_with string_to_array strpos substr:1,2 substring:1,2 to_ascii:0,1 to_bin to_hex to_oct translate trim upper
regexp_count:1,2,3 regexp_instr:1,2,3,4,5,6 regexp_like:1,2 regexp_match:1,2 regexp_replace:1,2,3,4,5 regexp_substr:1,2,3,4,5
sha224 sha256 sha384 sha512 crc32 crc32c encode:1 hashtext hashtextextended bit_count
text name bpchar varchar
round:1 trunc:1 ceil ceiling floor sign scale min_scale trim_scale
isfinite date_part:0 extract:0 date_trunc:0,2 age to_char:1 now transaction_timestamp statement_timestamp clock_timestamp timeofday
array_length:1 array_lower:1 array_upper:1 array_ndims array_dims cardinality array_to_string:1,2 array_to_json
json_typeof jsonb_typeof jsonb_extract_path jsonb_extract_path_text jsonb_pretty jsonb_strip_nulls
to_json to_jsonb row_to_json json_build_array jsonb_build_array jsonb_exists jsonb_exists_any jsonb_exists_all
jsonb_contains jsonb_contained
lower_inc upper_inc lower_inf upper_inf isempty range_merge
abbrev broadcast family host hostmask masklen netmask network inet_same_family set_masklen:1
uuid_extract_timestamp uuid_extract_version
num_nulls num_nonnulls pg_typeof pg_column_size
strip numnode querytree ts_rank ts_rank_cd
count min max any_value string_agg json_agg jsonb_agg json_agg_strict jsonb_agg_strict bool_and bool_or every bit_and bit_or bit_xor
mode percentile_disc:0 percentile_cont:0 rank dense_rank percent_rank cume_dist row_number ntile:0 lag:1 lead:1
first_value last_value nth_value:1 range_agg range_intersect_agg xmlagg xmlconcat unnest
current_database current_schema current_schemas current_setting:0,1 session_user version
gen_random_uuid uuidv4 uuidv7 pg_backend_pid txid_current inet_client_addr
`

const failing = new Map<string, ReadonlySet<number>>(
  words(TOTAL).map((word) => {
    const [name = '', positions] = word.split(':')
    return [name, new Set(positions?.split(',').map(Number))]
  }),
)

/** Aggregates whose sums cannot leave the range of their result over whole numbers and numeric. */
const SUMMING = new Set(words('sum avg stddev stddev_pop stddev_samp variance var_pop var_samp'))
const SUMMED = new Set(['int2', 'int4', 'int8', 'numeric'])
/** Key and value by turns: a key must not be null. */
const BUILDING_OBJECTS = new Set(['json_build_object', 'jsonb_build_object'])
const KEYED = new Set(['json_object_agg', 'jsonb_object_agg'])

/** Arguments whose values may make this call of a built-in function fail; `all` without exception. */
export function failingArguments(
  name: string,
  args: readonly Value[],
): ReadonlySet<number> | 'all' {
  if (name === 'random') return args.length === 0 ? NONE : 'all'
  // Of bytes it reads the text, which must be one.
  if (name === 'length' && args.length > 1) return 'all'
  const known = failing.get(name)
  if (known !== undefined) return known
  if (SUMMING.has(name) && SUMMED.has(args[0]?.type ?? '')) return NONE
  if (BUILDING_OBJECTS.has(name)) return new Set(args.flatMap((_, i) => (i % 2 === 0 ? [i] : [])))
  if (KEYED.has(name)) return new Set([0])
  if (name === 'array_agg') return isOneValue(args[0]) ? NONE : 'all'
  return 'all'
}
const NONE: ReadonlySet<number> = new Set()

/** Certainly no array: arrays make one of more dimensions only if they are all of one size. */
export function isOneValue(value: Value | undefined): boolean {
  const type = value?.type ?? null
  return type !== null && type !== '' && !type.startsWith('_')
}

/** Functions that put their arguments together. */
export const JOINING = new Set(
  words(`concat concat_ws replace regexp_replace array_to_string overlay
    to_json to_jsonb json_build_array jsonb_build_array json_build_object jsonb_build_object`),
)

/** Could `parts` put together be longer than a value can be, for some values of a column in them? */
export function mayOverflow(parts: readonly Value[], times = 1): boolean {
  let copies = 0
  let computed = false
  for (const part of parts) {
    copies += part.copies
    // A constant that a call made may be nearly as long as a value can be.
    if (part.mayFail && part.sources.length === 0) computed = true
  }
  return computed || copies * times > COPIES_MAX
}

/** Operators that fail for no value of their operands. */
const SAFE = new Set(
  words('= <> != < > <= >= @> <@ && ? ?| ?& @? @@ & | << >> &< &> -|- ^@ !! ~= ~<~ ~<=~ ~>~ ~>=~'),
)
/** Match a pattern, which may be malformed; whether it is, LIKE finds out only where it has come that far. */
const PATTERN = new Set(words('~~ !~~ ~~* !~~* ~ !~ ~* !~*'))
const TEXTS = new Set(['text', 'varchar', 'bpchar', 'name'])

/** Operands whose values may make it fail. */
export function failingOperands(
  symbol: string,
  left: Value | null,
  right: Value | null,
): readonly Value[] {
  const both = [left, right].filter((value) => value !== null)
  if (symbol.includes('BETWEEN')) return []
  if (PATTERN.has(symbol)) return both
  // Of json, the text of an escape that no text can hold.
  if (symbol.startsWith('->') || symbol.startsWith('#>')) return left?.type === 'json' ? both : []
  if (SAFE.has(symbol)) return []
  if (symbol === '||') return isText(left) || isText(right) ? [] : both
  return both
}

const isText = (value: Value | null) => value !== null && TEXTS.has(value.type ?? '')

/** Target types of casts that fail for no value, by source type. */
const TOTAL_CASTS: Readonly<Record<string, string>> = {
  int2: 'int4 int8 numeric float4 float8 oid',
  int4: 'int8 numeric float4 float8 bool',
  int8: 'numeric float4 float8',
  float4: 'float8 numeric',
  float8: 'numeric',
  bool: 'int4',
  text: 'char',
  varchar: 'char',
  bpchar: 'char',
  date: 'timestamp timestamptz',
  timestamp: 'date time timestamptz',
  timestamptz: 'date time timetz timestamp',
  time: 'interval timetz',
  interval: 'time',
  timetz: 'time',
  jsonb: 'json',
  cidr: 'inet',
  inet: 'cidr',
  macaddr: 'macaddr8',
}
const totalCasts = new Map(
  Object.entries(TOTAL_CASTS).map(([from, to]) => [from, new Set(words(to))]),
)

/** Types whose modifier refuses values that do not fit, instead of cutting or rounding them. */
const BOUNDED = new Set(['numeric', 'bit'])

/** May a cast fail for some values? Every built-in type can be written as text, cut to any length. */
export function castMayFail(
  from: string | null,
  to: string,
  { modified }: { readonly modified: boolean },
): boolean {
  if (TEXTS.has(to)) return false
  if (from === null || (modified && BOUNDED.has(to))) return true
  return from !== to && !(totalCasts.get(from)?.has(to) ?? false)
}
