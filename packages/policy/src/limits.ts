/** Named caps of this package: unit in the name, reason beside it. Listed in README.md. */

/** One policy file. Far above any hand-written file; keeps a wrong path from being parsed for minutes. */
export const POLICY_FILE_BYTES_MAX = 1_048_576
/** All files of one policy. */
export const POLICY_FILES_MAX = 256
/** Rules plus masks in one policy: every decision walks the ones that apply to the principal. */
export const POLICY_RULES_MAX = 5_000
/** Errors reported per load; the rest would not be read. */
export const POLICY_ERRORS_MAX = 100
/** Nesting depth of a condition. */
export const CONDITION_DEPTH_MAX = 32
/** Nodes of a condition. */
export const CONDITION_NODES_MAX = 2_000
/** Characters of a condition. */
export const CONDITION_CHARS_MAX = 4_096
/** Column lookups remembered per session view; emptied when full. */
export const VIEW_COLUMNS_MAX = 8_192
/** Prepared statements and cursors nested in one another that a decision follows. */
export const NESTED_FACTS_MAX = 16
/** Input length above which a `regex` mask answers with the constant, by unbounded quantifiers in the pattern. */
export const REGEX_INPUT_BYTES_MAX = [65_536, 8_192, 512] as const
/** Characters of a `regex` mask's pattern. */
export const REGEX_CHARS_MAX = 512
/** Ways one quantified group of a `regex` mask may match, worst case. */
export const REGEX_WAYS_MAX = 4_096
/** Nesting a `json` mask follows; deeper documents become the constant. */
export const JSON_DEPTH_MAX = 128
/** Paths of one `json` mask (they are tracked as bits of one integer). */
export const JSON_PATHS_MAX = 24
/** Dimensions of an array, as PostgreSQL's MAXDIM. */
export const ARRAY_DIMENSIONS_MAX = 6
/** Digits of a numeric that `bucket` and `hash` read; longer ones become the constant. */
export const NUMERIC_DIGITS_MAX = 200
/** Entries of the cache in front of a keyed mask (four-way; a power of two). */
export const KEYED_CACHE_ENTRIES = 8_192
/** Longest input and output, bytes each, of a keyed mask's cache entry. */
export const KEYED_CACHE_CELL_BYTES = 64
/** Keyed-mask caches per key (mask × type × format); further ones go uncached. At most 32 MiB in all. */
export const KEYED_CACHES_MAX = 32

/** Rows, and bytes of rows, of each result that `record` keeps unless it says otherwise. */
export const RECORDED_ROWS_DEFAULT = 1_000
export const RECORDED_BYTES_DEFAULT = 1_048_576

/** Changed rows of a preview, unless the rule says otherwise; and at most: people are to read them. */
export const PREVIEW_ROWS = 5
export const PREVIEW_ROWS_MAX = 50
