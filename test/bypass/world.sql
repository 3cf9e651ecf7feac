-- The database that attacks are run against: `people` with a protected column of every kind of type (added by
-- world.ts, see world-values.ts), and whatever an attacker might use to get at them.
CREATE EXTENSION pgcrypto;
CREATE EXTENSION hstore;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION tablefunc;
CREATE EXTENSION dblink;
CREATE EXTENSION pageinspect;
CREATE EXTENSION postgres_fdw;

CREATE SCHEMA open;
CREATE TYPE address AS (street text, zip text, n int);
CREATE DOMAIN iban AS text CHECK (length(VALUE) > 3);
CREATE TYPE mood AS ENUM ('calm', 'merry', 'gloomy');
CREATE TYPE pair AS (a int, b text);

CREATE TABLE dept (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE people (id int PRIMARY KEY, city text, note text, dept_id int REFERENCES dept, manager_id int);
CREATE TABLE cards (number text PRIMARY KEY, person_id int REFERENCES people);
CREATE TABLE payments (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, card text REFERENCES cards, amount numeric(10,2), at timestamptz);
CREATE TABLE accounts (id int PRIMARY KEY, owner_ssn text UNIQUE, opened date);
CREATE TABLE notes (id int PRIMARY KEY, body text, n numeric, happened date, raw bytea, doc jsonb, list text[]);
CREATE TABLE checked (v text CONSTRAINT short CHECK (length(v) < 3), n int CHECK (n < 100));
CREATE TABLE audit_trail (id serial PRIMARY KEY, what text);
CREATE TABLE parted (id int, ssn text) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1, 2, 3);
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
CREATE SEQUENCE counter;

-- Views, built on people by world.ts once its columns are there.
CREATE FUNCTION second(text, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = second);
CREATE FUNCTION raise_it(text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'got %', $1; END $$;
CREATE FUNCTION notice_it(text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'got %', $1 USING DETAIL = $1, HINT = $1; RETURN 1; END $$;
CREATE FUNCTION run_it(text) RETURNS SETOF record LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE $1; END $$;
CREATE FUNCTION run_one(text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE x text; BEGIN EXECUTE $1 INTO x; RETURN x; END $$;
CREATE FUNCTION keep_it(anyelement) RETURNS anyelement LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION store_it(text) RETURNS void LANGUAGE sql AS 'INSERT INTO audit_trail (what) VALUES ($1)';
CREATE FUNCTION of_row(record) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN $1::text; END $$;
CREATE AGGREGATE glue(text) (SFUNC = textcat, STYPE = text, INITCOND = '');
