-- psql: what it sees of a server. Run with -X -a; connects by PG* variables.
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\d shop.items
\d+ shop.sales
\dt shop.*
\dv shop.*
\df shop.*
\dT+ shop.*
\dn
SELECT id, name, price, tags FROM shop.items ORDER BY id LIMIT 3;
SELECT id, name, made FROM shop.items ORDER BY id LIMIT 2 \gx
SELECT id FROM shop.items WHERE id < 3 ORDER BY id \gset picked_
SELECT nope FROM shop.items;
SELEC 1;
SELECT 1 \; SELECT 2 \; SELECT 3/0 \; SELECT 4;
INSERT INTO shop.items (id, name, price) VALUES (1, 'again', 1);
INSERT INTO shop.items (id, name, price) VALUES (70, 'negative', -1);
DO $$ BEGIN RAISE NOTICE 'hello'; RAISE EXCEPTION 'own error' USING HINT = 'a hint'; END $$;
BEGIN;
UPDATE shop.items SET price = 2 WHERE id = 1;
SELECT 1/0;
SELECT 1;
ROLLBACK;
BEGIN;
\set ON_ERROR_ROLLBACK on
UPDATE shop.items SET price = 3 WHERE id = 1;
SELECT 1/0;
SELECT price FROM shop.items WHERE id = 1;
COMMIT;
\set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT off
DELETE FROM shop.sales WHERE id < 3;
ROLLBACK;
\set AUTOCOMMIT on
CREATE TEMP TABLE loaded (id int, name text);
\copy loaded FROM STDIN
1	one
2	two
3	\N
\.
COPY loaded FROM STDIN;
x	not a number
\.
\copy (SELECT * FROM loaded ORDER BY id) TO STDOUT WITH CSV HEADER
COPY loaded TO STDOUT (FORMAT csv, FORCE_QUOTE *);
\set FETCH_COUNT 7
SELECT id, mood FROM shop.items ORDER BY id;
\set FETCH_COUNT 0
PREPARE picked (int) AS SELECT name FROM shop.items WHERE id = $1;
EXECUTE picked (4);
DEALLOCATE picked;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM shop.items ORDER BY id;
FETCH 3 FROM c;
FETCH BACKWARD 1 FROM c;
MOVE LAST IN c;
FETCH PRIOR FROM c;
COMMIT;
SELECT 'SELECT ' || n FROM generate_series(1, 3) n \gexec
SELECT id, even, count(*) FROM (SELECT id, id % 2 = 0 AS even FROM shop.items WHERE id < 4) q GROUP BY 1, 2 ORDER BY 1 \crosstabview
SELECT price, name FROM shop.items \gdesc
LISTEN news;
NOTIFY news, 'hello';
EXPLAIN (COSTS OFF) SELECT * FROM shop.items WHERE id = 1;
SET search_path = shop;
SELECT name FROM items WHERE id = :picked_id;
SHOW search_path;
RESET ALL;
SHOW search_path;
\c -
SHOW search_path;
SELECT count(*) FROM shop.items;
\l sallyport_nothing
\x
SELECT * FROM shop.items WHERE id = 1;
SELECT :'SERVER_VERSION_NUM'::int > 0 AS version;
\encoding
\errverbose
