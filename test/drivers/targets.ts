/**
 * What driver tests connect to: one database, reached directly and through gateways, so that the
 * same program can be run against both and its results compared.
 *
 * `allowed` lets everything pass; what a driver sees through it must equal what it sees directly.
 * `masked` hides the columns of `crm.people`, whose every value carries a canary (canaries.ts).
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { PEOPLE_SQL } from './canaries.ts'

export interface Target {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly user: string
  /** A password, or a token: to a driver there is no difference. */
  readonly password: string
  readonly database: string
  /** Null: no TLS. */
  readonly ca: string | null
  readonly caFile: string | null
}

export interface Targets extends AsyncDisposable {
  readonly database: TestDatabase
  readonly direct: Target
  readonly gateway: Target
  /** Without TLS, so that a tap can read the wire; as a principal that masks apply to. */
  readonly masked: Target
  /** Through the `masked` gateway as a principal that its deny rules apply to and no mask. */
  readonly ruled: Target
  readonly allowed: TestGateway
  readonly masking: TestGateway
  /** Puts the schema `shop` back as it was. */
  reset(): Promise<void>
}

const FIXTURE = `
DROP SCHEMA IF EXISTS shop CASCADE;
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('calm', 'tense');
CREATE TABLE shop.items (
  id integer PRIMARY KEY,
  name text NOT NULL CONSTRAINT items_name_key UNIQUE,
  price numeric(10,2) NOT NULL CONSTRAINT items_price_positive CHECK (price >= 0),
  data jsonb,
  tags text[],
  made timestamptz NOT NULL DEFAULT '2026-01-02T03:04:05Z',
  uid uuid,
  raw bytea,
  mood shop.mood
);
COMMENT ON TABLE shop.items IS 'things for sale';
CREATE TABLE shop.sales (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  item_id integer NOT NULL REFERENCES shop.items (id) ON DELETE CASCADE,
  quantity smallint NOT NULL DEFAULT 1
);
CREATE INDEX sales_item_idx ON shop.sales (item_id);
CREATE VIEW shop.cheap AS SELECT id, name FROM shop.items WHERE price < 10;
CREATE FUNCTION shop.double(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
INSERT INTO shop.items (id, name, price, data, tags, uid, raw, mood)
SELECT n, 'item ' || n, n * 1.25, jsonb_build_object('n', n, 'even', n % 2 = 0), ARRAY['t' || n, NULL],
       ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, decode(lpad(to_hex(n), 4, '0'), 'hex'),
       (ARRAY['calm', 'tense'])[1 + n % 2]::shop.mood
  FROM generate_series(1, 50) AS n;
INSERT INTO shop.sales (item_id, quantity) SELECT 1 + n % 50, 1 + n % 3 FROM generate_series(1, 100) AS n;
ANALYZE shop.items, shop.sales;
`

/** Superuser-free on purpose: the same rights directly and through the gateway. */
const OWNER = 'shop_owner'
const OWNER_PASSWORD = 'shop owner'

export const ALLOW_EVERYTHING = new URL('../../policies/allow-everything.yaml', import.meta.url)

const MASKED_POLICY = `
version: 1
rules:
  - name: everything
    who: { groups: [agents, testers] }
    allow: { effects: ['*', unknown] }
  - name: sales are not deleted
    who: { groups: [testers] }
    deny: { commands: [delete], relations: ['shop.sales'] }
    hint: Ask the shop owner.
masks:
  - { name: text, columns: ['crm.people.full_name', 'crm.people.code', 'crm.people.tags'], with: redact, who: { groups: [agents] } }
  - { name: email, columns: ['crm.people.email'], with: email, who: { groups: [agents] } }
  - { name: card, columns: ['crm.people.card'], with: { partial: { keep-last: 4 } }, who: { groups: [agents] } }
  - { name: token, columns: ['crm.people.token'], with: hash, who: { groups: [agents] } }
  - { name: born, columns: ['crm.people.born'], with: { truncate-date: year }, who: { groups: [agents] } }
  - { name: json, columns: ['crm.people.profile'], with: { json: { paths: ['$.phone'] } }, who: { groups: [agents] } }
  - name: the rest
    columns: ['crm.people.seen', 'crm.people.uid', 'crm.people.small', 'crm.people.amount',
              'crm.people.big', 'crm.people.balance', 'crm.people.ratio', 'crm.people.raw',
              'crm.people.active']
    with: redact
    who: { groups: [agents] }
`

export async function openTargets(): Promise<Targets> {
  const database = await usePostgres()
  const reset = async (): Promise<void> => {
    await database.sql(FIXTURE)
    await database.sql(handOver(database.database))
  }
  await database.sql(PEOPLE_SQL)
  await reset()
  const options = {
    upstream: database,
    database: database.database,
    credential: { user: OWNER, password: OWNER_PASSWORD },
  }
  const allowed = await startTestGateway({ ...options, policies: [ALLOW_EVERYTHING] })
  const masking = await startTestGateway({ ...options, policies: [MASKED_POLICY] })
  const caFile = join(allowed.directory, 'direct-ca.crt')
  await writeFile(caFile, database.ca ?? '')
  const common = { host: '127.0.0.1', user: OWNER, database: database.database }
  const plain = { ...common, port: masking.plainPort, ca: null, caFile: null }
  return {
    database,
    direct: {
      name: 'direct',
      ...common,
      port: database.port,
      password: OWNER_PASSWORD,
      ca: database.ca ?? null,
      caFile,
    },
    gateway: {
      name: 'gateway',
      ...common,
      port: allowed.port,
      password: await allowed.token(),
      ca: allowed.ca,
      caFile: allowed.caFile,
    },
    masked: {
      name: 'masked',
      ...plain,
      password: await masking.token({ subject: 'agent', groups: ['agents'] }),
    },
    ruled: {
      name: 'ruled',
      ...plain,
      password: await masking.token({ subject: 'tester', groups: ['testers'] }),
    },
    allowed,
    masking,
    reset,
    async [Symbol.asyncDispose]() {
      await allowed.close()
      await masking.close()
      await database.drop()
    },
  }
}

function handOver(database: string): string {
  return `
DO $$ BEGIN
  CREATE ROLE ${OWNER} LOGIN PASSWORD '${OWNER_PASSWORD}';
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT ALL ON DATABASE ${database} TO ${OWNER};
GRANT ALL ON SCHEMA public TO ${OWNER};
ALTER SCHEMA shop OWNER TO ${OWNER};
ALTER TYPE shop.mood OWNER TO ${OWNER};
ALTER TABLE shop.items OWNER TO ${OWNER};
ALTER TABLE shop.sales OWNER TO ${OWNER};
ALTER SCHEMA crm OWNER TO ${OWNER};
ALTER TABLE crm.people OWNER TO ${OWNER};
ALTER VIEW shop.cheap OWNER TO ${OWNER};
ALTER FUNCTION shop.double(integer) OWNER TO ${OWNER};
GRANT pg_signal_backend TO ${OWNER};
`
}
