<?php
// PDO and mysqli: what they see of a server. One line per observation; connects by MY* variables.
function show(string $name, mixed $value): void {
  echo $name, ': ', json_encode($value, JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}

function refused(PDO $db, string $name, string $query): void {
  try {
    $db->query($query);
    show($name, 'no error');
  } catch (PDOException $error) {
    show($name, $error->errorInfo);
  }
}

$options = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
if (getenv('MYCA')) $options[PDO::MYSQL_ATTR_SSL_CA] = getenv('MYCA');
$db = new PDO(
  'mysql:host=' . getenv('MYHOST') . ';port=' . getenv('MYPORT') . ';dbname=' . getenv('MYDATABASE') . ';charset=utf8mb4',
  getenv('MYUSER'), getenv('MYPASSWORD'), $options);
foreach ([false, true] as $emulate) {
  $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, $emulate);
  $statement = $db->prepare('SELECT * FROM items WHERE id >= ? ORDER BY id');
  foreach ([1, 3] as $id) {
    $statement->execute([$id]);
    show('rows', $statement->fetchAll(PDO::FETCH_NUM));
  }
  $insert = $db->prepare('INSERT INTO sales (item_id, quantity) VALUES (?, ?)');
  for ($n = 1; $n < 5; $n++) $insert->execute([1, $n]);
  show('count', $db->query('SELECT count(*), sum(quantity) FROM sales')->fetch(PDO::FETCH_NUM));
}
refused($db, 'undefined', 'SELECT nope FROM items');
refused($db, 'unique', "INSERT INTO items (id, name, price) VALUES (1, 'x', 1)");
refused($db, 'syntax', 'SELEC 1');
$db->beginTransaction();
$db->exec('DELETE FROM sales');
$db->exec('SAVEPOINT here');
refused($db, 'failed', 'SELECT * FROM missing');
$db->exec('ROLLBACK TO here');
$db->rollBack();
show('back', $db->query('SELECT count(*) FROM sales')->fetchColumn());
$db->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, false);
$streamed = $db->query('SELECT a.id FROM items a, items b, items c ORDER BY 1');
show('streamed', count($streamed->fetchAll()));
