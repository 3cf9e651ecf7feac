-- The demo's second database, on MySQL or MariaDB: a web shop whose customers are people, too. Every value is
-- computed from its row number; cards pass Luhn, and none belongs to anybody.
CREATE TABLE customers (
  id           INT PRIMARY KEY AUTO_INCREMENT,
  name         VARCHAR(80) NOT NULL,
  email        VARCHAR(120) NOT NULL UNIQUE,
  phone        VARCHAR(30),
  birth_date   DATE,
  balance      DECIMAL(10, 2) NOT NULL DEFAULT 0,
  profile      JSON NOT NULL,
  email_domain VARCHAR(120) GENERATED ALWAYS AS (SUBSTRING_INDEX(email, '@', -1)) STORED,
  created_at   DATETIME NOT NULL DEFAULT '2026-01-01 00:00:00'
);
CREATE TABLE orders (
  id          INT PRIMARY KEY AUTO_INCREMENT,
  customer_id INT NOT NULL,
  status      ENUM('draft', 'placed', 'paid', 'shipped', 'cancelled') NOT NULL DEFAULT 'draft',
  total       DECIMAL(10, 2) NOT NULL,
  placed_at   DATETIME NOT NULL,
  note        TEXT,
  KEY (customer_id),
  FOREIGN KEY (customer_id) REFERENCES customers (id)
);
CREATE TABLE cards (
  id          INT PRIMARY KEY AUTO_INCREMENT,
  customer_id INT NOT NULL,
  card_number CHAR(16) NOT NULL,
  expires     CHAR(5) NOT NULL,
  FOREIGN KEY (customer_id) REFERENCES customers (id)
);

INSERT INTO customers (id, name, email, phone, birth_date, balance, profile)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
SELECT i,
       CONCAT(ELT(1 + i % 10, 'Ada', 'Boris', 'Chiara', 'Dmitri', 'Elena', 'Farid', 'Grace', 'Hugo', 'Ines', 'Jonas'), ' ',
              ELT(1 + i % 7, 'Abbott', 'Bianchi', 'Castillo', 'Dvorak', 'Eriksen', 'Fischer', 'Gupta')),
       CONCAT('customer', i, '@', ELT(1 + i % 3, 'example.com', 'example.org', 'example.net')),
       CONCAT('+1-202-555-01', LPAD(i % 100, 2, '0')),
       DATE_ADD('1960-02-11', INTERVAL i * 191 DAY),
       i * 17.35,
       JSON_OBJECT('phone', CONCAT('+1-202-555-01', LPAD(i % 100, 2, '0')), 'language', ELT(1 + i % 3, 'en', 'de', 'fr'))
  FROM n;
INSERT INTO orders (customer_id, status, total, placed_at, note)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
SELECT 1 + i % 60, ELT(1 + i % 5, 'draft', 'placed', 'paid', 'shipped', 'cancelled'), i * 3.5,
       DATE_ADD('2026-01-01', INTERVAL i DAY), NULL
  FROM n;
INSERT INTO cards (customer_id, card_number, expires)
VALUES (1, '4111111111111111', '12/29'), (2, '5555555555554444', '03/28'), (3, '4012888888881881', '07/30');

CREATE VIEW customer_overview AS
  SELECT c.id, c.name, c.email AS contact, COUNT(o.id) AS orders, MAX(o.placed_at) AS last_order_at
    FROM customers c LEFT JOIN orders o ON o.customer_id = c.id
   GROUP BY c.id, c.name, c.email;
