-- A company's database as an outsider would draw it: people with personal data beside plenty that is nobody's secret.
CREATE TABLE users (
  id BIGINT AUTO_INCREMENT PRIMARY KEY, username VARCHAR(150) NOT NULL UNIQUE, email VARCHAR(254) UNIQUE, full_name VARCHAR(200),
  phone VARCHAR(30), ssn CHAR(11), date_of_birth DATE, password VARCHAR(128) NOT NULL DEFAULT '', is_active TINYINT(1) NOT NULL DEFAULT 1,
  country CHAR(2), preferences JSON, created_at DATETIME(6) NOT NULL, updated_at TIMESTAMP NULL, manager_id BIGINT,
  FOREIGN KEY (manager_id) REFERENCES users (id), KEY (country, created_at));
CREATE TABLE employees (
  id INT AUTO_INCREMENT PRIMARY KEY, user_id BIGINT, department VARCHAR(40) NOT NULL, title VARCHAR(40), salary DECIMAL(12,2), bonus INT,
  hired DATE NOT NULL, left_on DATE, FOREIGN KEY (user_id) REFERENCES users (id));
CREATE TABLE products (
  id INT AUTO_INCREMENT PRIMARY KEY, sku VARCHAR(40) NOT NULL UNIQUE, name VARCHAR(200) NOT NULL, price DECIMAL(10,2) NOT NULL,
  stock INT NOT NULL DEFAULT 0, attributes JSON, slug VARCHAR(200) GENERATED ALWAYS AS (LOWER(REPLACE(name, ' ', '-'))) STORED, FULLTEXT KEY (name));
CREATE TABLE invoices (
  id BIGINT AUTO_INCREMENT PRIMARY KEY, user_id BIGINT NOT NULL, state ENUM('draft', 'sent', 'paid', 'void') NOT NULL DEFAULT 'draft',
  issued_on DATE NOT NULL, due_on DATE, total DECIMAL(12,2), notes TEXT, iban VARCHAR(34), FOREIGN KEY (user_id) REFERENCES users (id));
CREATE TABLE invoice_lines (
  invoice_id BIGINT NOT NULL, line INT NOT NULL, product_id INT, quantity INT NOT NULL, unit_price DECIMAL(10,2) NOT NULL,
  PRIMARY KEY (invoice_id, line), FOREIGN KEY (invoice_id) REFERENCES invoices (id) ON DELETE CASCADE);
CREATE TABLE events (
  id BIGINT AUTO_INCREMENT, kind VARCHAR(20) NOT NULL, user_id BIGINT, at DATETIME NOT NULL, payload JSON, PRIMARY KEY (id, at))
  PARTITION BY RANGE (YEAR(at)) (PARTITION p2025 VALUES LESS THAN (2026), PARTITION pmax VALUES LESS THAN MAXVALUE);
CREATE TABLE metrics (host VARCHAR(20) NOT NULL, at DATETIME NOT NULL, cpu DOUBLE, mem BIGINT, PRIMARY KEY (host, at));
CREATE TABLE stock_moves (product_id INT NOT NULL, moved INT NOT NULL, at DATE NOT NULL);
CREATE TABLE wp_posts (
  ID BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, post_author BIGINT UNSIGNED NOT NULL DEFAULT 0, post_date DATETIME NOT NULL,
  post_title TEXT NOT NULL, post_status VARCHAR(20) NOT NULL DEFAULT 'publish', post_name VARCHAR(200) NOT NULL DEFAULT '',
  post_parent BIGINT UNSIGNED NOT NULL DEFAULT 0, post_type VARCHAR(20) NOT NULL DEFAULT 'post', comment_count BIGINT NOT NULL DEFAULT 0);
CREATE TABLE wp_postmeta (meta_id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, post_id BIGINT UNSIGNED NOT NULL, meta_key VARCHAR(255), meta_value LONGTEXT);
CREATE TABLE wp_options (
  option_id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, option_name VARCHAR(191) NOT NULL UNIQUE, option_value LONGTEXT NOT NULL,
  autoload VARCHAR(20) NOT NULL DEFAULT 'yes');
CREATE TABLE wp_terms (term_id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(200) NOT NULL, slug VARCHAR(200) NOT NULL);
CREATE TABLE wp_term_taxonomy (term_taxonomy_id BIGINT UNSIGNED PRIMARY KEY, term_id BIGINT UNSIGNED NOT NULL, taxonomy VARCHAR(32) NOT NULL, count BIGINT NOT NULL DEFAULT 0);
CREATE TABLE wp_term_relationships (object_id BIGINT UNSIGNED, term_taxonomy_id BIGINT UNSIGNED, term_order INT NOT NULL DEFAULT 0, PRIMARY KEY (object_id, term_taxonomy_id));
CREATE TABLE wp_users (ID BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, user_login VARCHAR(60) NOT NULL, user_pass VARCHAR(255) NOT NULL, user_email VARCHAR(100) NOT NULL, display_name VARCHAR(250) NOT NULL);
CREATE TABLE sessions (id VARCHAR(40) PRIMARY KEY, user_id BIGINT, payload LONGTEXT, last_activity INT NOT NULL);
CREATE TABLE jobs (id BIGINT AUTO_INCREMENT PRIMARY KEY, queue VARCHAR(40) NOT NULL, payload LONGTEXT NOT NULL, attempts TINYINT UNSIGNED NOT NULL, reserved_at INT UNSIGNED, available_at INT UNSIGNED NOT NULL);
CREATE VIEW open_invoices AS SELECT i.id, i.user_id, u.username, u.email, i.total, i.due_on FROM invoices i JOIN users u ON u.id = i.user_id WHERE i.state IN ('draft', 'sent');
CREATE VIEW active_users AS SELECT id, username, email, full_name, country FROM users WHERE is_active = 1;
CREATE VIEW monthly AS SELECT DATE_FORMAT(issued_on, '%Y-%m') AS month, COUNT(*) AS invoices, SUM(total) AS revenue FROM invoices GROUP BY DATE_FORMAT(issued_on, '%Y-%m');
CREATE FUNCTION vat(amount DECIMAL(12,2)) RETURNS DECIMAL(12,2) DETERMINISTIC NO SQL RETURN ROUND(amount * 0.19, 2);
CREATE FUNCTION invoices_of(user BIGINT) RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM invoices WHERE user_id = user);
CREATE FUNCTION stock_level(quantity INT) RETURNS VARCHAR(10) DETERMINISTIC NO SQL BEGIN
  DECLARE level VARCHAR(10) DEFAULT 'none';
  IF quantity > 100 THEN SET level = 'high'; ELSEIF quantity > 0 THEN SET level = 'low'; END IF;
  RETURN level;
END;
CREATE FUNCTION is_overdue(invoice BIGINT) RETURNS TINYINT READS SQL DATA BEGIN
  DECLARE due DATE;
  DECLARE EXIT HANDLER FOR NOT FOUND RETURN NULL;
  SELECT due_on INTO due FROM invoices WHERE id = invoice;
  RETURN due < DATE '2025-03-01';
END;
CREATE PROCEDURE touch_products() UPDATE products SET stock = stock;
CREATE TABLE numbers (n INT PRIMARY KEY);
INSERT INTO numbers VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12);
INSERT INTO users (id, username, email, full_name, phone, ssn, date_of_birth, password, country, preferences, created_at, manager_id)
  SELECT n, CONCAT('user', n), CONCAT('user', n, '@corp.example'), CONCAT('Person Number', n), CONCAT('+49 30 55', n), CONCAT(LPAD(n, 3, '1'), '-22-333', n % 10),
    DATE '1970-01-01' + INTERVAL 500 * n DAY, CONCAT('pbkdf2$', HEX(n * 7919)), IF(n % 2 = 0, 'DE', 'US'), JSON_OBJECT('theme', 'dark', 'n', n), TIMESTAMP '2024-01-01 00:00:00' + INTERVAL 3 * n DAY, IF(n > 1, 1, NULL)
  FROM numbers ORDER BY n;
INSERT INTO employees (id, user_id, department, title, salary, bonus, hired) SELECT n, n, IF(n % 2 = 0, 'IT', 'Sales'), CONCAT('Title ', n), 50000 + 731 * n, 1000 * n, DATE '2015-01-01' + INTERVAL n DAY FROM numbers WHERE n <= 10;
INSERT INTO products (id, sku, name, price, stock, attributes) SELECT n, CONCAT('SKU', n), CONCAT('Product ', n), 9.99 * n, 10 * n, JSON_OBJECT('color', CONCAT('c', n % 4), 'sizes', JSON_ARRAY(n, n + 1)) FROM numbers;
INSERT INTO invoices (id, user_id, state, issued_on, due_on, total, notes, iban)
  SELECT n, n, ELT(1 + n % 4, 'draft', 'sent', 'paid', 'void'), DATE '2025-01-01' + INTERVAL 7 * n DAY, DATE '2025-02-01' + INTERVAL 7 * n DAY, 100.5 * n, CONCAT('note ', n), CONCAT('DE00 1234 ', n) FROM numbers;
INSERT INTO invoice_lines SELECT i.id, l.n, 1 + (i.id + l.n) % 12, l.n, 9.99 FROM invoices i JOIN numbers l ON l.n <= 3;
INSERT INTO events (kind, user_id, at, payload) SELECT ELT(1 + n % 3, 'login', 'click', 'buy'), n, TIMESTAMP '2025-01-01 00:00:00' + INTERVAL 7 * n HOUR, JSON_OBJECT('page', CONCAT('/p', n % 5), 'ms', 10 * n) FROM numbers;
INSERT INTO metrics SELECT CONCAT('h', h.n), TIMESTAMP '2025-01-01 00:00:00' + INTERVAL 5 * m.n MINUTE, h.n * 10 + m.n, 1000 * m.n FROM numbers h JOIN numbers m WHERE h.n <= 3;
INSERT INTO stock_moves SELECT n, n % 7 - 3, DATE '2025-01-01' + INTERVAL n DAY FROM numbers;
INSERT INTO wp_posts (post_author, post_date, post_title, post_name, post_type) SELECT 1, TIMESTAMP '2025-01-01 00:00:00' + INTERVAL n DAY, CONCAT('Post ', n), CONCAT('post-', n), IF(n % 4 = 0, 'page', 'post') FROM numbers;
INSERT INTO wp_postmeta (post_id, meta_key, meta_value) SELECT n, '_edit_lock', CONCAT('173', n) FROM numbers;
INSERT INTO wp_options (option_name, option_value) VALUES ('siteurl', 'http://x'), ('home', 'http://x'), ('cron', 'a:0:{}'), ('_transient_timeout_a', '1'), ('_transient_a', 'x');
INSERT INTO wp_terms (name, slug) VALUES ('News', 'news'), ('Other', 'other');
INSERT INTO wp_term_taxonomy VALUES (1, 1, 'category', 2), (2, 2, 'post_tag', 1);
INSERT INTO wp_term_relationships SELECT n, 1 + n % 2, 0 FROM numbers;
INSERT INTO wp_users (user_login, user_pass, user_email, display_name) VALUES ('admin', '$P$Babc', 'admin@corp.example', 'The Admin');
INSERT INTO sessions VALUES ('s1', 1, 'x', 100);
INSERT INTO jobs (queue, payload, attempts, available_at) VALUES ('default', '{}', 0, 1);
