/** Named caps of the analysis, the same for every engine. */

/** Literals and parameters written to columns that one statement's facts list. */
export const CONSTANT_WRITES_MAX = 200_000

/** Rounds until the columns of a recursive CTE must have settled. */
export const RECURSION_ROUNDS_MAX = 32

/** Steps of one text's analysis, as budget.ts counts them; a few hundred milliseconds at most. */
export const ANALYSIS_STEPS_MAX = 3_000_000

/** Views inside views. */
export const VIEW_DEPTH_MAX = 32

/** Steps kept in the explanation of one lineage. */
export const WHY_STEPS_MAX = 6

/**
 * Values put together in one: a column's value is then at most 1 GiB ÷ 10,000 before the result is too long
 * for the server, which a client could make a threshold of its own choice.
 */
export const COPIES_MAX = 10_000

/** Names told of in place of one that stands for nothing, and names of one statement that do. */
export const NAMES_THERE_MAX = 2_000
export const MISSING_NAMES_MAX = 8
