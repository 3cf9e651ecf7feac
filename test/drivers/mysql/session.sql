SELECT * FROM items ORDER BY id\G
SELECT COUNT(*) FROM sales;
-- a comment alone
# and another
SELECT /* inside */ 'a;b', "c''d", 'e\'f' /*! , 1 + 1 */;
DELIMITER //
SELECT 1; SELECT 2//
DELIMITER ;
SHOW TABLES;
DESCRIBE sales;
SHOW CREATE TABLE sales;
EXPLAIN SELECT id FROM items WHERE id = 1;
SET @x = 3, @y := 4;
SELECT @x + @y;
SELECT nope FROM items;
INSERT INTO items (id, name, price) VALUES (1, 'x', 1);
SELEC 1;
START TRANSACTION;
DELETE FROM sales;
ROLLBACK;
SELECT COUNT(*) FROM sales;
PREPARE p FROM 'SELECT name FROM items WHERE id = ?';
SET @id = 2;
EXECUTE p USING @id;
DEALLOCATE PREPARE p;
SELECT 'x' + 0;
SHOW WARNINGS;
SHOW VARIABLES LIKE 'sql_mode';
status
