-- psql and a refused statement: the transaction is aborted as after an error of the server.
\set VERBOSITY sqlstate
DELETE FROM shop.sales;
SELECT 1 AS usable;
BEGIN;
UPDATE shop.items SET price = 5 WHERE id = 1;
SAVEPOINT here;
DELETE FROM shop.sales;
SELECT 1;
ROLLBACK TO here;
SELECT price FROM shop.items WHERE id = 1;
COMMIT;
UPDATE shop.items SET price = 6 WHERE id = 1 \; DELETE FROM shop.sales;
SELECT price FROM shop.items WHERE id = 1;
