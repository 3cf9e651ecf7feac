DROP TABLE IF EXISTS sales, items, made;
-- What Django's migrations made.
DROP TABLE IF EXISTS auth_group_permissions, auth_user_groups, auth_user_user_permissions, auth_permission, auth_group,
  auth_user, django_content_type, django_migrations;
CREATE TABLE items (
  id INT PRIMARY KEY,
  name VARCHAR(40) NOT NULL UNIQUE,
  price DECIMAL(10,2) UNSIGNED NOT NULL,
  data JSON,
  made DATETIME(6) NOT NULL DEFAULT '2026-01-02 03:04:05.000006',
  day DATE,
  clock TIME(3),
  since YEAR,
  raw VARBINARY(20),
  bits BIT(12),
  mood ENUM('calm', 'tense'),
  marks SET('a', 'b', 'c'),
  big BIGINT UNSIGNED,
  ratio DOUBLE,
  note TEXT
) COMMENT 'things for sale';
CREATE TABLE sales (
  id INT AUTO_INCREMENT PRIMARY KEY,
  item_id INT NOT NULL,
  quantity SMALLINT NOT NULL DEFAULT 1,
  KEY sales_item_idx (item_id),
  CONSTRAINT sales_item FOREIGN KEY (item_id) REFERENCES items (id) ON DELETE CASCADE
);
INSERT INTO items (id, name, price, data, day, clock, since, raw, bits, mood, marks, big, ratio, note) VALUES
  (1, 'item 1', 1.25, '{"n": 1}', '2024-02-29', '-12:34:56.789', 1999, X'0001ff', b'101', 'calm', 'a,c', 18446744073709551615, 1.5, 'größe'),
  (2, 'item 2', 2.50, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, 'item 3', 3.75, '{"n": [1, 2, {"deep": null}]}', '1970-01-01', '838:59:59.000', 2155, '', b'0', 'tense', '', 0, -1e300, '');
INSERT INTO sales (item_id, quantity) VALUES (1, 1), (1, 2), (2, 3), (3, 1);
