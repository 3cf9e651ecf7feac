/**
 * Every cap of this package: name, unit (last word of the name), value, source.
 * A peer can make nothing here grow past one of these; each is reached by a test.
 */

/** Payload of one packet; one of exactly this many bytes is continued by the next. Source: MAX_PACKET_LENGTH, mysql_com.h. */
export const PACKET_PAYLOAD_BYTES_MAX = 0xff_ffff

/** Any payload, joined. Source: the most that max_allowed_packet may be, 1 GiB. */
export const PAYLOAD_BYTES_MAX = 0x4000_0000

/**
 * A packet of a client before it is authenticated. Ours; the largest is a HandshakeResponse with 64 KiB of
 * attributes (the server's own cap, see below) and its names.
 */
export const LOGIN_PACKET_BYTES_MAX = 98_304

/** Bytes a client may have sent that its login has not taken yet: two packets. Ours. */
export const LOGIN_INPUT_BYTES_MAX = 2 * LOGIN_PACKET_BYTES_MAX

/** A password or token. Ours, the same as on PostgreSQL; a JWT with many groups is below 16 KiB. */
export const PASSWORD_BYTES_MAX = 65_535

/** Connection attributes, names and values together. Source: 64 KiB, "Performance Schema Connection Attribute Tables". */
export const CONNECTION_ATTRIBUTES_BYTES_MAX = 65_536

/** Connection attributes. Ours; drivers send about ten. */
export const CONNECTION_ATTRIBUTES_MAX = 256

/** A user, database or plugin name at login, in bytes. Source: 96 characters of 4 bytes, USERNAME_LENGTH, rounded up. */
export const LOGIN_NAME_BYTES_MAX = 512

/** One packet of an upstream during login. Ours. */
export const UPSTREAM_LOGIN_PACKET_BYTES_MAX = 262_144

/** Packets an upstream may send before we are logged in. Ours; an exchange takes up to six. */
export const UPSTREAM_LOGIN_PACKETS_MAX = 32

/** An RSA public key in PEM. Ours; one of 16,384 bits has 2,900. */
export const PUBLIC_KEY_BYTES_MAX = 8_192

/** Columns of a result. Source: uint16 num_columns of a prepared statement; a table has 4096 at most. */
export const COLUMNS_MAX = 65_535

/** Parameters of a prepared statement, query attributes included. Source: uint16 num_params. */
export const PARAMETERS_MAX = 65_535

/** Query attributes of one command. Ours; the server has no cap of its own. */
export const QUERY_ATTRIBUTES_MAX = 64

/** Statement text; the default of an option of the caller. Ours. */
export const STATEMENT_BYTES_MAX = 1_048_576

/** A command other than a statement's text, an execute or long data (names and flags). Ours. */
export const SMALL_COMMAND_BYTES_MAX = 65_536

/** A COM_STMT_EXECUTE is inspected, and so held whole, up to this. Source: the server's max_allowed_packet, 64 MiB. */
export const EXECUTE_BYTES_MAX = 67_108_864

/** Bytes of long data kept for inspection per statement until it is executed. Ours. */
export const LONG_DATA_KEPT_BYTES_MAX = 1_048_576

/** Entries of the session state in one OK packet. Ours. */
export const SESSION_CHANGES_MAX = 4_096

/** Replies the relay may owe a client that pipelines without reading. Ours. */
export const EXPECTED_REPLIES_MAX = 65_536

/** Prepared statements of one session. Source: max_prepared_stmt_count, 16,382, for the whole server. */
export const PREPARED_STATEMENTS_MAX = 16_382

/** An upstream payload that is rewritten or inspected (a row under masks) is held whole up to this. Ours. */
export const MASKED_ROW_BYTES_MAX = 67_108_864

/** Cells a probe keeps of a row. Ours. */
export const PROBE_CELLS_MAX = 64
/** Rows a probe keeps of one answer: the plan of a join of every table MySQL joins (61) fits. Ours. */
export const PROBE_ROWS_MAX = 256

/** The size a growable output sink may reach, unless its owner says otherwise: 64 MiB. Ours. */
export const SINK_BYTES_MAX = 67_108_864

/** The column definitions of one result, where there may be masks. Ours; 4,096 columns with names of 64 characters have 8 MiB. */
export const DESCRIPTION_BYTES_MAX = 16_777_216
