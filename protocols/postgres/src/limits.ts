/**
 * Every cap of this package: name, unit (last word of the name), value, source.
 * A peer can make nothing here grow past one of these; each is reached by a test.
 */

/** A start-up packet, length word included. Source: MAX_STARTUP_PACKET_LENGTH, libpq/pqcomm.h. */
export const STARTUP_BYTES_MAX = 10_000

/** Parameters in one start-up packet. Ours; clients send fewer than ten. */
export const STARTUP_PARAMETERS_MAX = 256

/** Words in the `options` start-up parameter. Ours. */
export const STARTUP_OPTIONS_MAX = 256

/**
 * A PasswordMessage, SASLInitialResponse or SASLResponse, length word included, before the client is
 * authenticated. Source: PG_MAX_AUTH_TOKEN_LENGTH 65535, libpq/auth.h.
 */
export const PASSWORD_BYTES_MAX = 65_535

/** Bytes a client may have sent that its login has not taken yet: one packet of each kind. Ours. */
export const LOGIN_INPUT_BYTES_MAX = STARTUP_BYTES_MAX + PASSWORD_BYTES_MAX + 1

/** Any message, length word included. Source: PQ_LARGE_MESSAGE_LIMIT = MaxAllocSize - 1, libpq/libpq.h. */
export const MESSAGE_BYTES_MAX = 0x3fff_fffe

/** Client messages that hold only names and flags. Source: PQ_SMALL_MESSAGE_LIMIT, libpq/libpq.h. */
export const SMALL_MESSAGE_BYTES_MAX = 10_000

/** Upstream messages that are never long. Source: libpq, VALID_LONG_MESSAGE_TYPE in fe-protocol3.c. */
export const SHORT_REPLY_BYTES_MAX = 30_000

/** Statement text of a Query or Parse, without its NUL; the default of an option of the caller. Ours. */
export const STATEMENT_BYTES_MAX = 1_048_576

/** A prepared-statement or portal name, without its NUL: what a Describe of 10,000 bytes can hold. */
export const NAME_BYTES_MAX = 9_994

/** Bytes kept of one upstream message during login; the session proper has MESSAGE_BYTES_MAX. Ours. */
export const LOGIN_MESSAGE_BYTES_MAX = 262_144

/** Messages (notices included) an upstream may send before it is ready. Ours. */
export const LOGIN_MESSAGES_MAX = 1_024

/** The secret of BackendKeyData and CancelRequest, protocol 3.2. Source: §54.7, 256 bytes. */
export const CANCEL_KEY_BYTES_MAX = 256

/** The secret of BackendKeyData and CancelRequest, protocol 3.0, and the least of 3.2. Source: §54.7. */
export const CANCEL_KEY_BYTES_MIN = 4

/** Columns of a result. Source: MaxTupleAttributeNumber 1664, access/htup_details.h. */
export const COLUMNS_MAX = 1_664

/** PBKDF2 rounds an upstream may ask of us, about 0.3 s of CPU. Ours; the server's default is 4096. */
export const SCRAM_ITERATIONS_MAX = 1_000_000

/** The nonce we are given for SCRAM: 18 random bytes in base64. Source: SCRAM_RAW_NONCE_LEN, scram-common.h. */
export const SCRAM_NONCE_CHARS_MIN = 24

/** A SCRAM or OAUTHBEARER message in either direction. Ours; a JWT with many groups is below 16 KiB. */
export const SASL_MESSAGE_BYTES_MAX = PASSWORD_BYTES_MAX

/** SASL mechanisms one AuthenticationSASL may list. Ours; PostgreSQL 18 lists at most two. */
export const SASL_MECHANISMS_MAX = 32

/** One COPY row as received, which must be whole before it can be rewritten. Ours, as MASKED_ROW_BYTES_MAX. */
export const COPY_ROW_BYTES_MAX = 67_108_864

/** The extension area of a binary COPY header. Ours; the server writes none. */
export const COPY_HEADER_EXTENSION_BYTES_MAX = 65_536

/** The size a growable output sink may reach, unless its owner says otherwise: 64 MiB. Ours. */
export const SINK_BYTES_MAX = 67_108_864

/** Replies the relay may owe a client that pipelines without reading. Ours. */
export const EXPECTED_REPLIES_MAX = 65_536

/**
 * The name of a statement or portal in a session. Source: NAMEDATALEN 64 less its NUL: the server's tables
 * compare no more, so that two longer names could be one to it and two to us.
 */
export const SESSION_NAME_BYTES_MAX = 63

/** Named prepared statements of one session. Ours. */
export const NAMED_STATEMENTS_MAX = 16_384

/** Named portals of one session. Ours. */
export const NAMED_PORTALS_MAX = 16_384

/** A Bind at least this long is passed on in pieces where nothing in it has to be inspected. Ours. */
export const STREAMED_BIND_BYTES_MIN = 262_144

/** A Bind whose parameters are inspected is held whole up to this. Ours. */
export const BIND_INSPECTED_BYTES_MAX = 67_108_864

/** An upstream message that is rewritten or inspected (a row under masks) is held whole up to this. Ours. */
export const MASKED_ROW_BYTES_MAX = 67_108_864
