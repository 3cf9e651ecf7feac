/** Named caps of the PostgreSQL reader: what a client's text may cost before and while it is parsed. */

/** UTF-8 bytes of one message's SQL text. The tree of a text is 20 to 50 times its size. */
export const STATEMENT_BYTES_MAX = 1024 * 1024

/** Lexical tokens of one text; bounds the tree, and with it time and memory of a parse. */
export const STATEMENT_TOKENS_MAX = 250_000

/** Statements in one text. */
export const STATEMENTS_MAX = 1_000

/** Nesting of block comments: the scanner is quadratic in it. */
export const COMMENT_DEPTH_MAX = 32

/**
 * Upper bound of the tree's depth, estimated from brackets, chains of operators, joins and set
 * operations. The parser's stack holds about 2,000 levels of the costliest kind.
 */
export const TREE_DEPTH_MAX = 600

/** WASM memory never shrinks: above this, the instance is replaced after the parse. */
export const PARSER_MEMORY_BYTES_MAX = 256 * 1024 * 1024

/** Columns of a query's result; the server's own limit (MaxTupleAttributeNumber). */
export const RESULT_COLUMNS_MAX = 1_664

/** Columns that `*` over a join may stand for before a target list is full. */
export const JOIN_COLUMNS_MAX = 32_767
