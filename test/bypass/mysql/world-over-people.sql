-- What is built over `people` once it has its protected columns.
CREATE INDEX people_salary ON people (salary);
CREATE INDEX people_born ON people (born, city);
CREATE FULLTEXT INDEX people_paper ON people (paper);
CREATE VIEW people_view AS SELECT id, ssn AS x, city FROM people;
CREATE VIEW people_view2 AS SELECT id, x AS y FROM people_view;
CREATE VIEW people_expr_view AS SELECT id, UPPER(ssn) AS y, salary DIV 1000 AS k FROM people;
CREATE ALGORITHM = TEMPTABLE VIEW people_temptable AS SELECT id, ssn, email FROM people WHERE city IS NOT NULL;
CREATE ALGORITHM = MERGE VIEW people_merge AS SELECT id, ssn, salary FROM people;
CREATE SQL SECURITY INVOKER VIEW people_invoker AS SELECT id, city, ssn, email, salary FROM people;
CREATE SQL SECURITY DEFINER VIEW people_definer AS SELECT * FROM people;
CREATE VIEW people_named (one, two, three) AS SELECT id, ssn, salary FROM people;
CREATE VIEW people_union AS SELECT id, ssn AS v FROM people UNION ALL SELECT id, owner_ssn FROM accounts;
CREATE VIEW people_cte AS WITH p AS (SELECT id, email FROM people) SELECT id, email AS e FROM p;
CREATE VIEW people_json AS SELECT id, JSON_OBJECT('s', ssn, 'e', email) AS j FROM people;
CREATE VIEW people_checked AS SELECT id, city, ssn FROM people WHERE id < 100 WITH CHECK OPTION;
CREATE VIEW city_counts AS SELECT city, COUNT(*) AS n FROM people GROUP BY city;
CREATE VIEW people_open AS SELECT id, city, note FROM people;
CREATE TABLE people_generated (
  id INT PRIMARY KEY, ssn VARCHAR(40),
  shout VARCHAR(40) GENERATED ALWAYS AS (UPPER(ssn)) STORED,
  whisper VARCHAR(40) GENERATED ALWAYS AS (LOWER(ssn)) VIRTUAL,
  backwards VARCHAR(40) GENERATED ALWAYS AS (REVERSE(ssn)) VIRTUAL,
  size INT GENERATED ALWAYS AS (LENGTH(ssn)) STORED,
  KEY by_shout (shout), KEY by_size (size));
CREATE TABLE people_default (id INT PRIMARY KEY, ssn VARCHAR(40), copy VARCHAR(40) DEFAULT (UPPER(ssn)));

CREATE FUNCTION second(a VARCHAR(100), b VARCHAR(100)) RETURNS VARCHAR(100) DETERMINISTIC NO SQL RETURN b;
CREATE FUNCTION keep_it(a VARCHAR(100)) RETURNS VARCHAR(100) DETERMINISTIC NO SQL RETURN a;
CREATE FUNCTION leak_fn() RETURNS VARCHAR(100) READS SQL DATA RETURN (SELECT ssn FROM people WHERE id = 1);
CREATE FUNCTION better(n INT) RETURNS INT READS SQL DATA RETURN (SELECT salary > n FROM people WHERE id = 1);
CREATE FUNCTION raise_it(a VARCHAR(100)) RETURNS INT DETERMINISTIC BEGIN
  DECLARE message VARCHAR(128) DEFAULT CONCAT('got ', a);
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = message; RETURN 1;
END;
CREATE FUNCTION store_it(a VARCHAR(100)) RETURNS INT DETERMINISTIC MODIFIES SQL DATA BEGIN
  INSERT INTO audit_trail (what) VALUES (a); RETURN 1;
END;
CREATE FUNCTION remember_it(a VARCHAR(100)) RETURNS INT DETERMINISTIC BEGIN SET @remembered = a; RETURN 1; END;
CREATE PROCEDURE leak() BEGIN SELECT ssn FROM people; SELECT email, salary FROM people WHERE id = 1; END;
CREATE PROCEDURE leak_out(OUT a VARCHAR(100)) BEGIN SELECT ssn INTO a FROM people WHERE id = 1; END;
CREATE PROCEDURE leak_error() BEGIN
  DECLARE message VARCHAR(128);
  SELECT ssn INTO message FROM people WHERE id = 1;
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = message, MYSQL_ERRNO = 1146;
END;
CREATE PROCEDURE leak_warning() BEGIN
  DECLARE message VARCHAR(128);
  SELECT ssn INTO message FROM people WHERE id = 1;
  SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = message, MYSQL_ERRNO = 1054;
END;
CREATE PROCEDURE run_it(a TEXT) BEGIN SET @text = a; PREPARE s FROM @text; EXECUTE s; DEALLOCATE PREPARE s; END;
CREATE PROCEDURE loop_it() BEGIN
  DECLARE done INT DEFAULT 0; DECLARE v VARCHAR(100);
  DECLARE c CURSOR FOR SELECT ssn FROM people WHERE ssn IS NOT NULL;
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
  OPEN c;
  again: LOOP FETCH c INTO v; IF done THEN LEAVE again; END IF; SELECT v; END LOOP;
  CLOSE c;
END;
CREATE PROCEDURE harmless() BEGIN SELECT 1; END;
CREATE TRIGGER tells AFTER UPDATE ON people FOR EACH ROW BEGIN
  IF NEW.note = 'tell' THEN INSERT INTO audit_trail (what) VALUES (OLD.city); END IF;
END;
CREATE TRIGGER forbids BEFORE UPDATE ON people FOR EACH ROW BEGIN
  DECLARE message VARCHAR(128);
  IF NEW.manager_id = 13 THEN
    SET message = CONCAT('not ', OLD.ssn, ' of ', OLD.salary);
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = message;
  END IF;
END;
