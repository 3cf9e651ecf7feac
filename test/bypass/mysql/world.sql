-- The database that attacks are run against: `people` with a protected column of every kind of type (added by
-- world.ts, see world-values.ts), and whatever an attacker might use to get at them.
CREATE TABLE dept (id INT PRIMARY KEY, name VARCHAR(20) NOT NULL);
CREATE TABLE people (
  id INT PRIMARY KEY, city VARCHAR(20), note VARCHAR(100), dept_id INT, manager_id INT,
  FOREIGN KEY (dept_id) REFERENCES dept (id));
CREATE TABLE cards (number VARCHAR(40) PRIMARY KEY, person_id INT, FOREIGN KEY (person_id) REFERENCES people (id));
CREATE TABLE payments (
  id INT AUTO_INCREMENT PRIMARY KEY, card VARCHAR(40), amount DECIMAL(10,2), at DATETIME,
  FOREIGN KEY (card) REFERENCES cards (number));
CREATE TABLE accounts (id INT PRIMARY KEY, owner_ssn VARCHAR(40) UNIQUE, opened DATE);
CREATE TABLE notes (
  id INT AUTO_INCREMENT PRIMARY KEY, body TEXT, n DECIMAL(30,6), happened DATE, raw VARBINARY(100), doc JSON, small TINYINT);
CREATE TABLE checked (
  id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(100), n INT, CONSTRAINT short CHECK (LENGTH(v) < 3), CONSTRAINT below CHECK (n < 100));
CREATE TABLE audit_trail (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(200));
CREATE TABLE parted (id INT, ssn VARCHAR(40), PRIMARY KEY (id))
  PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (4), PARTITION high VALUES LESS THAN MAXVALUE);
CREATE TABLE parted_like (id INT, ssn VARCHAR(40), PRIMARY KEY (id));
