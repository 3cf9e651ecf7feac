<?php
// mysqli with a cursor at the server: rows come one by one as they are fetched (COM_STMT_FETCH). `php cursor.php SQL`
// prints them as JSON; connects by MY* variables.
[, $sql] = $argv;
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$db = mysqli_init();
$db->ssl_set(null, null, getenv('MYCA'), null, null);
$db->real_connect(getenv('MYHOST'), getenv('MYUSER'), getenv('MYPASSWORD'), getenv('MYDATABASE'),
  (int) getenv('MYPORT'), null, MYSQLI_CLIENT_SSL);
$statement = $db->prepare($sql);
$statement->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
$statement->execute();
$row = array_fill(0, $statement->field_count, null);
$statement->bind_result(...$row);
$rows = [];
while ($statement->fetch()) $rows[] = array_map(fn ($cell) => $cell, $row);
$statement->close();
$db->close();
echo json_encode($rows), "\n";
