/** Named caps of the MySQL reader: what a client's text may cost while it is lexed and parsed. */

/** UTF-16 code units of one text; as long as a gateway lets a text be. A long literal is one token. */
export const STATEMENT_LENGTH_MAX = 64 * 1024 * 1024

/** Lexical tokens of one text; bounds the tree, and with it time and memory of a parse. */
export const STATEMENT_TOKENS_MAX = 1_000_000

/** Statements in one text. */
export const STATEMENTS_MAX = 1_000

/**
 * Nesting of what the parser recurses into: brackets, queries, blocks, prefix operators. A subquery counts 3, an
 * expression in brackets 2. The stack holds about four times as much.
 */
export const NESTING_MAX = 300

/** Height of the tree: chains of left-associative operators and joins are as high as they are long. */
export const TREE_HEIGHT_MAX = 1_000
