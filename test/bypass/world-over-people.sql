-- What is built over `people` once it has its protected columns.
CREATE VIEW people_view AS SELECT id, ssn AS x, city FROM people;
CREATE VIEW people_view2 AS SELECT id, x AS y FROM people_view;
CREATE VIEW people_expr_view AS SELECT id, upper(ssn) AS y, salary / 1000 AS k FROM people;
CREATE VIEW people_barrier WITH (security_barrier) AS SELECT id, ssn, email FROM people WHERE city IS NOT NULL;
CREATE VIEW people_invoker WITH (security_invoker) AS SELECT * FROM people;
CREATE VIEW people_union AS SELECT id, ssn AS v FROM people UNION ALL SELECT id, owner_ssn FROM accounts;
CREATE VIEW people_filtered AS SELECT id, city FROM people WHERE ssn LIKE 'h%' OR ssn < '5';
CREATE VIEW people_ordered AS SELECT id, city FROM people ORDER BY ssn;
CREATE VIEW people_ranked AS SELECT id, rank() OVER (ORDER BY salary) AS r FROM people;
CREATE VIEW people_cte AS WITH p AS (SELECT id, email FROM people) SELECT id, email AS e FROM p;
CREATE VIEW people_json AS SELECT id, to_jsonb(people) AS j FROM people;
CREATE VIEW people_top AS SELECT id FROM people ORDER BY salary DESC NULLS LAST LIMIT 1;
CREATE VIEW open.city_counts AS SELECT city, count(*) AS n FROM people GROUP BY city;
CREATE VIEW open.people AS SELECT id, city, note FROM public.people;
CREATE MATERIALIZED VIEW people_mat AS SELECT id, ssn AS x, salary, city FROM people;
CREATE MATERIALIZED VIEW people_mat_expr AS SELECT id, left(ssn, 5) AS x FROM people;
CREATE VIEW people_mat_view AS SELECT x FROM people_mat;
CREATE TABLE people_child (extra text) INHERITS (people);
CREATE TABLE people_generated (
  id int PRIMARY KEY, ssn text,
  shout text GENERATED ALWAYS AS (upper(ssn)) STORED,
  whisper text GENERATED ALWAYS AS (lower(ssn)) VIRTUAL,
  backwards text GENERATED ALWAYS AS (reverse(ssn)) STORED,
  size int GENERATED ALWAYS AS (length(ssn)) VIRTUAL);
CREATE INDEX people_salary ON people (salary);
CREATE INDEX people_lower_email ON people (lower(email));
CREATE INDEX people_ssn_city ON people (ssn) WHERE city IS NOT NULL;
CREATE STATISTICS people_stats ON ssn, email, salary FROM people;
CREATE STATISTICS people_expr_stats ON (upper(ssn)) FROM people;
CREATE FUNCTION leak_fn() RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM people LIMIT 1';
CREATE FUNCTION definer_fn() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT ssn FROM public.people LIMIT 1';
CREATE FUNCTION rows_fn() RETURNS SETOF people LANGUAGE sql AS 'SELECT * FROM people';
CREATE FUNCTION table_fn() RETURNS TABLE (id int, x text) LANGUAGE sql AS 'SELECT id, ssn FROM people';
CREATE FUNCTION lookup(int) RETURNS people LANGUAGE sql AS 'SELECT * FROM people WHERE id = $1';
CREATE FUNCTION cursor_fn() RETURNS refcursor LANGUAGE plpgsql AS $$ DECLARE c refcursor := 'fc'; BEGIN OPEN c FOR SELECT ssn FROM people; RETURN c; END $$;
CREATE FUNCTION ssn_of(people) RETURNS text LANGUAGE sql AS 'SELECT $1.ssn';
CREATE FUNCTION better(int) RETURNS boolean LANGUAGE sql AS 'SELECT salary > $1 FROM people WHERE id = 1';
CREATE PROCEDURE leak() LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', (SELECT ssn FROM people LIMIT 1); END $$;
CREATE PROCEDURE leak_out(INOUT x text) LANGUAGE plpgsql AS $$ BEGIN x := (SELECT ssn FROM people LIMIT 1); END $$;
CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  RAISE NOTICE 'changed %', old.ssn USING DETAIL = old.email, HINT = old.phone;
  RAISE WARNING 'salary %', old.salary;
  PERFORM pg_notify('changes', old.ssn);
  RETURN new; END $$;
CREATE TRIGGER tells AFTER UPDATE OF note ON people FOR EACH ROW EXECUTE FUNCTION tell_change();
CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  RAISE EXCEPTION 'not % of %', old.ssn, old.salary USING DETAIL = old::text, HINT = old.email, COLUMN = old.phone, CONSTRAINT = old.iban, DATATYPE = old.city, TABLE = old.ssn, SCHEMA = old.email;
END $$;
CREATE TRIGGER forbids BEFORE UPDATE OF manager_id ON people FOR EACH ROW EXECUTE FUNCTION forbid_change();
-- Statistics and pages change by what is done through the gateway alone, so the worlds stay alike.
DO $$ DECLARE r regclass; BEGIN
  FOR r IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace LOOP
    EXECUTE format('ALTER %s %s SET (autovacuum_enabled = off)', CASE (SELECT relkind FROM pg_class WHERE oid = r) WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, r);
  END LOOP;
END $$;
