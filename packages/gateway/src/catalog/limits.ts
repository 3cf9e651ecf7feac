/** Caps and intervals of the catalog snapshots. Durations in milliseconds. */

/** Oldest server, as server_version_num: the oldest major that is still maintained by many vendors. */
export const SERVER_VERSION_MIN = 130_000
/** Oldest MySQL and MariaDB: the first whose information_schema has check constraints and JSON_ARRAY in full. */
export const MYSQL_VERSION_MIN = 80_016
export const MARIADB_VERSION_MIN = 100_600
/** Characters of a sampled value. */
export const SAMPLE_CHARS_MAX = 256

/** Oids below this were given out at initdb (FirstNormalObjectId in transam.h). */
export const FIRST_USER_OID = 16_384

export const CONNECT_MS_MAX = 10_000
/** statement_timeout of every statement of the loader. */
export const STATEMENT_MS_MAX = 20_000
/** lock_timeout: pg_get_viewdef waits for whoever alters a relation under a view. */
export const LOCK_MS_MAX = 100
/** The same for MySQL, whose unit is seconds. */
export const LOCK_SECONDS_MAX = 5
/** Views whose definition can't be had are left out, up to so many; beyond, the load fails. */
export const VIEWS_MISSING_MAX = 64
/** Loads in a row when the schema changes under each of them; the last one is taken as it is. */
export const SETTLE_TRIES_MAX = 4

/** Larger schemas are refused whole: a part of one would make names resolve wrongly. */
export const RELATIONS_MAX = 100_000
export const COLUMNS_MAX = 1_000_000
export const FUNCTIONS_MAX = 100_000
export const CONSTRAINTS_MAX = 1_000_000

/** How often the change probe runs, give or take REFRESH_JITTER. */
export const REFRESH_INTERVAL_MS = 30_000
/** Share of the interval by which it varies, so that gateways don't probe in step. */
export const REFRESH_JITTER = 0.2
/** The same while the snapshot is known to be incomplete or taken amid changes. */
export const UNSETTLED_INTERVAL_MS = 2_000
/** Two refreshes start at least this far apart, whoever asks. */
export const REFRESH_GAP_MS = 250
/** And at least this many times as long as the last one took. */
export const REFRESH_GAP_LOADS = 2
/** The gap doubles with every failure in a row, up to this. */
export const REFRESH_BACKOFF_MS_MAX = 10_000
/** A snapshot that could not be confirmed for this long counts as absent. */
export const STALE_MS_MAX = 120_000
