<?php
// PDO and ext/pgsql: what they see of a server. One line per observation; libpq reads the PG* variables.
function show(string $name, mixed $value): void {
  echo $name, ': ', json_encode($value), "\n";
}

function refused(PDO $db, string $name, string $query): void {
  try {
    $db->query($query);
    show($name, 'no error');
  } catch (PDOException $error) {
    show($name, $error->errorInfo);
  }
}

function connect(): PDO {
  return new PDO('pgsql:', getenv('PGUSER'), getenv('PGPASSWORD'), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
}

function kinds(array $rows): array {
  return array_map(fn ($row) => array_map('get_debug_type', array_values($row)), $rows);
}

function session(): void {
  $db = connect();
  foreach ([false, true] as $emulate) {
    $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, $emulate);
    $statement = $db->prepare('SELECT id, name, price, data, tags, made, uid, mood FROM shop.items WHERE id = ?');
    foreach ([1, 2, 3] as $id) {
      $statement->execute([$id]);
      show('row', $statement->fetchAll(PDO::FETCH_NUM));
    }
    show('meta', array_map(fn ($i) => $statement->getColumnMeta($i)['native_type'], range(0, 6)));
  }
  refused($db, 'undefined', 'SELECT nope FROM shop.items');
  refused($db, 'unique', "INSERT INTO shop.items (id, name, price) VALUES (1, 'x', 1)");
  refused($db, 'syntax', 'SELEC 1');
  $db->beginTransaction();
  $db->exec('DELETE FROM shop.sales');
  $db->exec('SAVEPOINT here');
  refused($db, 'failed', 'SELECT 1/0');
  refused($db, 'aborted', 'SELECT 1');
  $db->exec('ROLLBACK TO here');
  show('back', $db->query('SELECT count(*) FROM shop.sales')->fetchColumn());
  $db->rollBack();
  $db->exec('CREATE TEMP TABLE loaded (id int, name text)');
  show('copied', $db->pgsqlCopyFromArray('loaded', array_map(fn ($n) => "$n\tname", range(1, 2000))));
  show('counted', $db->query('SELECT count(*), sum(id) FROM loaded')->fetch(PDO::FETCH_NUM));
  show('out', array_slice($db->pgsqlCopyToArray('loaded'), 0, 3));
  $db->exec('LISTEN news');
  $db->exec("NOTIFY news, 'hello'");
  $note = $db->pgsqlGetNotify(PDO::FETCH_ASSOC, 2000);
  show('notify', [$note['message'], $note['payload'], $note['pid'] == $db->pgsqlGetPid()]);

  $pg = pg_connect('');
  show('parameters', [pg_parameter_status($pg, 'server_encoding'), pg_parameter_status($pg, 'is_superuser')]);
  pg_prepare($pg, 'picked', 'SELECT id, name FROM shop.items WHERE id = $1');
  show('prepared', pg_fetch_all(pg_execute($pg, 'picked', [4])));
  $failed = null;
  pg_send_query($pg, 'SELECT 1; SELECT 1/0; SELECT 2');
  while ($result = pg_get_result($pg)) $failed[] = pg_result_error_field($result, PGSQL_DIAG_SQLSTATE);
  show('several', $failed);
  pg_send_query($pg, 'SELECT pg_sleep(30)');
  usleep(200_000);
  pg_cancel_query($pg);
  show('after cancel', pg_fetch_all(pg_query($pg, 'SELECT 1 AS fine')));
  show('metadata', array_keys(pg_meta_data($pg, 'shop.items')));
}

function masked(): void {
  $db = connect();
  foreach ([false, true] as $emulate) {
    $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, $emulate);
    $statement = $db->prepare('SELECT * FROM crm.people ORDER BY id');
    $statement->execute();
    $rows = $statement->fetchAll(PDO::FETCH_ASSOC);
    show('types', kinds($rows));
    show('kept', array_map(fn ($row) => [$row['id'], $row['note']], $rows));
  }
  show('copy', count($db->pgsqlCopyToArray('crm.people')));
}

function ruled(): void {
  $db = connect();
  $db->beginTransaction();
  $db->exec('UPDATE shop.items SET price = 5 WHERE id = 1');
  $db->exec('SAVEPOINT here');
  try {
    $db->exec('DELETE FROM shop.sales');
  } catch (PDOException $error) {
    show('refused', $error->getCode());
  }
  refused($db, 'aborted', 'SELECT 1');
  $db->exec('ROLLBACK TO here');
  show('recovered', $db->query('SELECT price FROM shop.items WHERE id = 1')->fetchColumn());
  $db->commit();
}

$argv[1]();
