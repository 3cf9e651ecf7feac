-- What only MariaDB has.
CREATE SEQUENCE counter;
CREATE TABLE people_hidden (id INT PRIMARY KEY, ssn VARCHAR(40) INVISIBLE);
INSERT INTO people_hidden (id, ssn) SELECT id, ssn FROM people WHERE ssn IS NOT NULL;
CREATE TABLE people_versioned (id INT PRIMARY KEY, ssn VARCHAR(40)) WITH SYSTEM VERSIONING;
INSERT INTO people_versioned SELECT id, ssn FROM people WHERE ssn IS NOT NULL;
UPDATE people_versioned SET ssn = CONCAT('was', ssn);
CREATE TABLE people_typed (id INT PRIMARY KEY, uid UUID, ip INET6);
CREATE VIEW people_percent AS SELECT DISTINCT MEDIAN(salary) OVER () AS m FROM people;
ANALYZE TABLE people PERSISTENT FOR ALL;
