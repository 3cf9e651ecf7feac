/**
 * Every cap of the audit log, in one place: what may grow, how far, and why that far.
 *
 * Lengths of text are in UTF-16 code units (`CHARS`), because that is what is known before encoding.
 */

/** One record as written, newline excluded. A record that cannot be made to fit is refused. */
export const RECORD_BYTES_MAX = 1_048_576

/** Statement text kept in a record; longer text is cut and its length and SHA-256 are kept in `cut`. */
export const SQL_CHARS_MAX = 65_536

/** Any other string of an event (subject, application name, reason, one relation, one parameter). */
export const STRING_CHARS_MAX = 4_096

/** Members of one list or map of an event (relations, masks, groups, parameters, tags). */
export const LIST_ITEMS_MAX = 256

/** The three caps above once more, for an event that is still over RECORD_BYTES_MAX after them. */
export const TIGHT_SQL_CHARS_MAX = 8_192
export const TIGHT_STRING_CHARS_MAX = 256
export const TIGHT_LIST_ITEMS_MAX = 16

/** Nesting of an event's values; deeper is a caller's mistake. */
export const EVENT_DEPTH_MAX = 8

/** A statement's record is kept encoded for the next time up to this. */
export const FORM_BYTES_MAX = 16_384

/** Records appended and not yet flushed; beyond it append refuses. */
export const BUFFER_BYTES_DEFAULT = 4_194_304

/** A segment is closed with a signed footer at the first flush that takes it past this. */
export const SEGMENT_BYTES_DEFAULT = 67_108_864

/** With a retention, a segment is closed at this age, too: what is past its time does not wait for it to fill. */
export const SEGMENT_MS = 86_400_000

/** Segments removed in one run of the retention; the next run goes on. */
export const PRUNE_SEGMENTS_MAX = 64

/** A segment may not be configured larger: its records must stay countable in 31 bits. */
export const SEGMENT_BYTES_MAX = 4_294_967_296

/** A signed head is due after this many records or this long, whichever comes first. */
export const HEAD_RECORDS_DEFAULT = 10_000
export const HEAD_MS_DEFAULT = 10_000

/** One line of heads.jsonl. */
export const HEAD_BYTES_MAX = 2_048

/** How long one outside anchor may take before it counts as failed. */
export const ANCHOR_MS_MAX = 10_000

/** A clock set back by more than this is itself recorded. */
export const CLOCK_STEP_MS = 1_000

/** The index worker looks for new records this often: how old an answer of the index may be. */
export const INDEX_POLL_MS = 250

/** Records in one block of the index: what a search looks through for one candidate. */
export const INDEX_BLOCK_RECORDS = 512

/** Blocks a search asks the index for at once. */
export const INDEX_PAGE_BLOCKS = 64

/** Rows counted of each condition of a search to start from the rarest. */
export const INDEX_PROBE_ROWS = 10_000

/** Terms (relation names, rules, …) whose number in the index is remembered. */
export const INDEX_TERMS_MAX = 50_000

/** Statements met lately whose terms the indexer remembers, and how long one may be. */
export const INDEX_STATEMENTS_MAX = 2_000
export const INDEX_STATEMENT_CHARS_MAX = 4_096

/** Bytes of a segment indexed in one transaction: the worker's memory and how long it holds the lock. */
export const INDEX_READ_BYTES = 2_097_152

/** Pages of the index kept in memory while writing it. */
export const INDEX_CACHE_KIB = 32_768

/** Pause of the index worker after an error (disk full, database busy). */
export const INDEX_RETRY_MS = 1_000

/** Live sessions whose subject the indexer remembers; others are read back from the index. */
export const INDEX_SESSIONS_MAX = 10_000

/** How long close() waits for the index to catch up; the rest is indexed at the next start. */
export const INDEX_CLOSE_MS = 5_000

/** Entries of all sessions between two writes of the recordings' journal; more are written at once. */
export const JOURNAL_BUFFER_BYTES = 1_048_576

/** Files of journals kept to be written over; none once nothing has been recorded for RECORDING_JOURNAL_MS. */
export const JOURNAL_SPARES_MAX = 4

/** Output of one frame of a recording: longer output becomes several. */
export const RECORDING_PIECE_BYTES = 65_536

/** Output this long is written from where it lies; shorter output is copied and written with what else there is. */
export const RECORDING_DIRECT_BYTES = 16_384

/** A journal is closed and taken apart at this size or age. */
export const RECORDING_JOURNAL_BYTES = 16_777_216
export const RECORDING_JOURNAL_MS = 2_000

/** Journals that wait for the archiver; with more, long results are read from the database no faster than it works. */
export const RECORDING_JOURNALS_BEHIND = 64

/** Journals that wait for the archiver; with more, nothing is recorded and so nothing is run. */
export const RECORDING_JOURNALS_MAX = 96
/** Data keys that one run of `rewrapRecordings` wraps anew. */
export const REWRAP_KEYS_MAX = 1_000

/** Frames compressed together in a recording. */
export const RECORDING_BLOCK_BYTES = 262_144

/** A block as read back, compressed or not: one block, one frame that did not fit, and their frame. */
export const RECORDING_BLOCK_BYTES_MAX = 1_048_576

/** Pause of the archiver after an error. */
export const ARCHIVE_RETRY_MS = 1_000

/** How long the database of the shared index may take to be reached, and to answer. */
export const SHARED_CONNECT_MS_MAX = 5_000
export const SHARED_QUERY_MS_MAX = 15_000

/** A word of a statement as the shared index knows it (a tsvector's lexeme: 2046 bytes). */
export const SHARED_WORD_CHARS_MAX = 500

/** Words of one block; a block with more is a candidate for every search of words (a tsvector: 1 MiB). */
export const SHARED_WORDS_BYTES_MAX = 700_000

/** Lines of one block as read back: those of one reading, and no more. */
export const SHARED_LINES_BYTES_MAX = INDEX_READ_BYTES

/** Sessions of which an export remembers who they are. */
export const EXPORT_SESSIONS_MAX = 10_000

/** Rows one query returns at most; page on with the cursor. */
export const QUERY_ROWS_MAX = 1_000

/** One tombstone: a footer and what is signed beside it. */
export const TOMBSTONE_BYTES_MAX = 8_192

/** Bytes read at once from a segment by verification and proofs. */
export const READ_BYTES = 1_048_576

/** Findings a verification report lists; it counts the rest. */
export const FINDINGS_MAX = 100
