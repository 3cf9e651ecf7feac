-- What only MySQL has.
CREATE INDEX people_lower_email ON people ((LOWER(email)));
CREATE TABLE people_hidden (id INT PRIMARY KEY, ssn VARCHAR(40) INVISIBLE);
CREATE VIEW people_lateral AS SELECT p.id, l.v FROM people p, LATERAL (SELECT p.ssn AS v) l;
CREATE VIEW people_table AS SELECT p.id, j.v FROM people p, JSON_TABLE(p.profile, '$' COLUMNS (v VARCHAR(40) PATH '$.phone')) j;
ANALYZE TABLE people UPDATE HISTOGRAM ON phone, balance WITH 8 BUCKETS;
INSERT INTO people_hidden (id, ssn) SELECT id, ssn FROM people WHERE ssn IS NOT NULL;
