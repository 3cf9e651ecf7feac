-- Beside the demo's CRM: what extensions bring, a checkpointer's tables, a view that searches a masked column.
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION pgcrypto;
CREATE EXTENSION unaccent;
CREATE EXTENSION fuzzystrmatch;
CREATE EXTENSION "uuid-ossp";
CREATE TABLE accounts (
  id int PRIMARY KEY, nick citext, title text, settings hstore, tags text[], doc jsonb, period tstzrange,
  balance numeric(12,2), hash text);
INSERT INTO accounts VALUES
  (1, 'Ann', 'hello world', 'theme=>dark', '{a,b}', '{"a": [1, 2]}', '[2024-01-01,2024-03-01)', 100, crypt('secret', '$1$abcdefgh')),
  (2, 'bob', 'Hello', 'theme=>light, x=>1', '{c}', '{"a": [3]}', '[2024-05-01,2024-07-01)', 40, crypt('other', '$1$abcdefgh')),
  (3, NULL, 'good bye', '', '{}', '{"a": []}', NULL, NULL, NULL);
CREATE TABLE checkpoint_migrations (v int PRIMARY KEY);
INSERT INTO checkpoint_migrations VALUES (1), (9);
CREATE TABLE checkpoints (
  thread_id text NOT NULL, checkpoint_ns text NOT NULL DEFAULT '', checkpoint_id text NOT NULL, parent_checkpoint_id text,
  type text, checkpoint jsonb NOT NULL, metadata jsonb NOT NULL DEFAULT '{}', PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
CREATE TABLE checkpoint_blobs (
  thread_id text NOT NULL, checkpoint_ns text NOT NULL DEFAULT '', channel text NOT NULL, version text NOT NULL, type text NOT NULL,
  blob bytea, PRIMARY KEY (thread_id, checkpoint_ns, channel, version));
CREATE TABLE checkpoint_writes (
  thread_id text NOT NULL, checkpoint_ns text NOT NULL DEFAULT '', checkpoint_id text NOT NULL, task_id text NOT NULL, idx int NOT NULL,
  channel text NOT NULL, type text, blob bytea NOT NULL, task_path text NOT NULL DEFAULT '',
  PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx));
INSERT INTO checkpoints VALUES ('t1', '', 'a', NULL, NULL, '{"channel_versions": {"c": "1"}}', '{}');
INSERT INTO checkpoint_blobs VALUES ('t1', '', 'c', '1', 'msgpack', '\x01');
CREATE VIEW open_cities AS SELECT DISTINCT profile -> 'address' ->> 'city' AS city FROM customers ORDER BY 1;
CREATE VIEW people_filtered AS SELECT id, created_at FROM customers WHERE email LIKE '%.org' ORDER BY name;
