# DBD::Pg: what it sees of a server. One line per observation; libpq reads the PG* variables.
use strict;
use warnings;
use DBI;
use DBD::Pg qw(:pg_types :async);

$| = 1;

sub show { my ($name, @values) = @_; print "$name: ", join('|', map { defined $_ ? (ref $_ ? join(',', map { $_ // 'NULL' } @$_) : $_) : 'NULL' } @values), "\n" }

sub connect_ { return DBI->connect('dbi:Pg:', $ENV{PGUSER}, $ENV{PGPASSWORD}, { RaiseError => 1, PrintError => 0, AutoCommit => 1, @_ }) }

sub refused {
  my ($db, $name, $query, @params) = @_;
  eval { $db->do($query, undef, @params); 1 } ? show($name, 'no error') : show($name, $db->state, $db->errstr);
}

sub session {
  my $db = connect_();
  for my $side (0, 1) {
    $db->{pg_server_prepare} = $side;
    my $statement = $db->prepare('SELECT id, name, price, data, tags, made, uid, mood FROM shop.items WHERE id = ?');
    for my $id (1 .. 3) {
      $statement->execute($id);
      show('row', @{ $statement->fetchrow_arrayref });
    }
    show('names', @{ $statement->{NAME} }, @{ $statement->{pg_type} });
  }
  refused($db, 'undefined', 'SELECT nope FROM shop.items');
  refused($db, 'unique', "INSERT INTO shop.items (id, name, price) VALUES (?, 'x', 1)", 1);
  refused($db, 'syntax', 'SELEC 1');
  $db->begin_work;
  $db->do('DELETE FROM shop.sales');
  $db->pg_savepoint('here');
  refused($db, 'failed', 'SELECT 1/0');
  refused($db, 'aborted', 'SELECT 1');
  $db->pg_rollback_to('here');
  show('back', $db->selectrow_array('SELECT count(*) FROM shop.sales'));
  $db->rollback;
  $db->do('CREATE TEMP TABLE loaded (id int, name text)');
  $db->do('COPY loaded FROM STDIN');
  $db->pg_putcopydata("$_\tname\n") for 1 .. 2000;
  $db->pg_putcopyend;
  show('copied', $db->selectrow_array('SELECT count(*), sum(id) FROM loaded'));
  $db->do('COPY (SELECT id, name FROM shop.items ORDER BY id) TO STDOUT');
  my ($line, $out) = ('', '');
  $out .= $line while $db->pg_getcopydata($line) >= 0;
  show('out', $out);
  show('tables', $db->tables(undef, 'shop', undef, 'TABLE'));
  show('columns', map { $_->{COLUMN_NAME} } @{ $db->column_info(undef, 'shop', 'items', undef)->fetchall_arrayref({}) });
  show('key', $db->primary_key(undef, 'shop', 'items'));
  show('ping', $db->ping);
  my $slow = $db->prepare('SELECT pg_sleep(30)', { pg_async => PG_ASYNC() });
  $slow->execute;
  select undef, undef, undef, 0.2;
  show('cancelled', $db->pg_cancel);
  show('after', $db->selectrow_array('SELECT 1'));
  $db->do('LISTEN news');
  $db->do("NOTIFY news, 'hello'");
  my $note = $db->pg_notifies;
  show('notify', $note->[0], $note->[1] == $db->{pg_pid} ? 'own' : 'other', $note->[2]);
}

sub masked {
  my $db = connect_();
  for my $side (0, 1) {
    $db->{pg_server_prepare} = $side;
    my $rows = $db->selectall_arrayref('SELECT * FROM crm.people WHERE id < ? ORDER BY id', undef, 100);
    show('nulls', map { [map { defined $_ ? 1 : 0 } @$_] } @$rows);
    show('kept', map { [$_->[0], $_->[-1]] } @$rows);
    show('arrays', map { ref($_->[16]) } @$rows);
  }
}

sub ruled {
  my $db = connect_();
  $db->begin_work;
  $db->do('UPDATE shop.items SET price = 5 WHERE id = 1');
  $db->pg_savepoint('here');
  eval { $db->do('DELETE FROM shop.sales') };
  show('refused', $db->state);
  refused($db, 'aborted', 'SELECT 1');
  $db->pg_rollback_to('here');
  show('recovered', $db->selectrow_array('SELECT price FROM shop.items WHERE id = 1'));
  $db->commit;
}

{ no strict 'refs'; &{ $ARGV[0] }(); }
