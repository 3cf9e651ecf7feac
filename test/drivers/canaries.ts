/**
 * Values that must never reach a masked client, and the search for them in raw bytes: every column of
 * `crm.people` holds a value whose text and binary forms are rare enough to be recognised anywhere on a wire.
 *
 * Binary forms: "pg_type" send functions — integers, floats and timestamps big-endian, uuid and bytea as
 * they are, numeric as base-10000 digits.
 */

/** 2087-01-22T11:22:33.445566Z and 1907-08-09 are in no other row. */
export const PEOPLE_SQL = `
DROP SCHEMA IF EXISTS crm CASCADE;
CREATE SCHEMA crm;
CREATE TABLE crm.people (
  id integer PRIMARY KEY,
  full_name text NOT NULL,
  email varchar(80) NOT NULL,
  card char(16) NOT NULL,
  code char(12),
  token text,
  born date,
  seen timestamptz,
  uid uuid,
  small smallint,
  amount integer,
  big bigint,
  balance numeric(20,4),
  ratio double precision,
  raw bytea,
  profile jsonb,
  tags text[],
  active boolean,
  note text
);
INSERT INTO crm.people VALUES
 (1, 'Canary Kestrel', 'canary.kestrel@zq.example', '4929777766665555', 'CANARYCODE', 'tok-canary-secret',
  '1907-08-09', '2087-01-22T11:22:33.445566Z', 'ca7a1111-2222-4333-8444-555566667777', 31337, 1592653589,
  7238197312345678901, 90817263544.3321, 2.718281801234, '\\xcafebabedeadc0de', '{"phone": "CANARYPHONE"}',
  ARRAY['canary-tag', NULL], true, 'plain'),
 (2, 'Canary Merlin', 'canary.merlin@zq.example', '4929777766664444', NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'plain too');
`

/** Columns in order, as every client must still see them. */
export const PEOPLE_COLUMNS =
  'id full_name email card code token born seen uid small amount big balance ratio raw profile tags active note'

const TEXTS = [
  'Canary Kestrel',
  'Kestrel',
  'Merlin',
  'canary.kestrel',
  'canary.merlin',
  '492977776666',
  'CANARYCODE',
  'tok-canary-secret',
  '1907-08-09',
  '2087-01-22',
  '11:22:33.445566',
  'ca7a1111',
  '31337',
  '1592653589',
  '7238197312345678901',
  '90817263544',
  '2.718281801234',
  'cafebabe',
  'CANARYPHONE',
  'canary-tag',
]

const EPOCH_2000_MS = Date.UTC(2000, 0, 1)
const DAY_MS = 86_400_000

function bytesOf(length: number, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(length)
  write(buffer)
  return buffer
}

const BINARIES: readonly (readonly [string, Buffer])[] = [
  ['amount as int4', bytesOf(4, (b) => b.writeInt32BE(1592653589))],
  ['big as int8', bytesOf(8, (b) => b.writeBigInt64BE(7238197312345678901n))],
  ['ratio as float8', bytesOf(8, (b) => b.writeDoubleBE(2.718281801234))],
  ['uid', Buffer.from('ca7a1111222243338444555566667777', 'hex')],
  ['raw', Buffer.from('cafebabedeadc0de', 'hex')],
  [
    'seen as int8 microseconds since 2000',
    bytesOf(8, (b) =>
      b.writeBigInt64BE(
        BigInt(Date.UTC(2087, 0, 22, 11, 22, 33) - EPOCH_2000_MS) * 1000n + 445_566n,
      ),
    ),
  ],
  [
    'born as a length of 4 and days since 2000',
    bytesOf(8, (b) => {
      b.writeInt32BE(4)
      b.writeInt32BE((Date.UTC(1907, 7, 9) - EPOCH_2000_MS) / DAY_MS, 4)
    }),
  ],
  ['balance as base-10000 digits 908 1726 3544 3321', Buffer.from('038c06be0dd80cf9', 'hex')],
  ['small as a length of 2 and int2', Buffer.from('000000027a69', 'hex')],
]

/** Which canaries are in these bytes: names only, so that a failing test prints no more than it must. */
export function canariesIn(bytes: Buffer): string[] {
  return [
    ...TEXTS.filter((text) => bytes.includes(text)),
    ...BINARIES.flatMap(([name, form]) => (bytes.includes(form) ? [name] : [])),
  ]
}
