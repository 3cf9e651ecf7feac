-- psql under masks: how many rows came in each of its ways of reading.
\pset format unaligned
SELECT id, note FROM crm.people ORDER BY id;
SELECT * FROM crm.people ORDER BY id;
\set FETCH_COUNT 1
SELECT * FROM crm.people ORDER BY id;
\set FETCH_COUNT 0
TABLE crm.people;
COPY crm.people TO STDOUT;
COPY crm.people TO STDOUT (FORMAT csv);
\copy crm.people TO STDOUT
SELECT p FROM crm.people p;
SELECT row_to_json(p) FROM crm.people p;
