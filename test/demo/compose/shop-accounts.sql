-- The gateway's accounts in the shop, as test/demo/shop.ts makes them without Docker.
CREATE USER 'shop_reader'@'%' IDENTIFIED BY 'shop-reader-demo-password';
GRANT SELECT, SHOW VIEW ON shop.* TO 'shop_reader'@'%';
CREATE USER 'shop_writer'@'%' IDENTIFIED BY 'shop-writer-demo-password';
GRANT SELECT, INSERT, UPDATE, DELETE, SHOW VIEW ON shop.* TO 'shop_writer'@'%';
CREATE USER 'shop_admin'@'%' IDENTIFIED BY 'shop-admin-demo-password';
GRANT ALL PRIVILEGES ON shop.* TO 'shop_admin'@'%';
