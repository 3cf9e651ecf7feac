# The pg gem: what it sees of a server. One line per observation; libpq reads the PG* variables.
require 'json'
require 'pg'

def show(name, value) = puts("#{name}: #{value.to_json}")

def fields(error)
  result = error.result
  [PG::PG_DIAG_SQLSTATE, PG::PG_DIAG_MESSAGE_PRIMARY, PG::PG_DIAG_MESSAGE_DETAIL, PG::PG_DIAG_STATEMENT_POSITION,
   PG::PG_DIAG_CONSTRAINT_NAME].map { |field| result&.error_field(field) }
end

def refused(conn, name, query, params = nil)
  params ? conn.exec_params(query, params) : conn.exec(query)
  show(name, 'no error')
rescue PG::Error => error
  show(name, fields(error))
end

def session
  conn = PG.connect
  show('row', conn.exec_params('SELECT id, name, price, data, tags, made, uid, raw, mood FROM shop.items WHERE id = $1', [3]).to_a)
  show('binary', conn.exec_params('SELECT id, raw FROM shop.items WHERE id = $1', [3], 1).values.map { |r| r.map { |v| v.unpack1('H*') } })
  conn.prepare('picked', 'SELECT name FROM shop.items WHERE id = $1')
  show('prepared', conn.exec_prepared('picked', [4]).values)
  show('described', conn.describe_prepared('picked').fields)
  refused(conn, 'undefined', 'SELECT nope FROM shop.items')
  refused(conn, 'unique', "INSERT INTO shop.items (id, name, price) VALUES ($1, 'x', 1)", [1])
  refused(conn, 'syntax', 'SELEC 1')
  conn.transaction do
    conn.exec('DELETE FROM shop.sales')
    conn.exec('SAVEPOINT here')
    refused(conn, 'failed', 'SELECT 1/0')
    refused(conn, 'aborted', 'SELECT 1')
    conn.exec('ROLLBACK TO here')
    show('back', conn.exec('SELECT count(*) FROM shop.sales').values)
  end
  conn.exec('CREATE TEMP TABLE loaded (id int, name text)')
  conn.copy_data('COPY loaded FROM STDIN') { 2000.times { |n| conn.put_copy_data("#{n}\tname\n") } }
  show('copied', conn.exec('SELECT count(*), sum(id) FROM loaded').values)
  out = []
  conn.copy_data('COPY (SELECT id, name FROM shop.items ORDER BY id) TO STDOUT') { while (row = conn.get_copy_data) do out << row end }
  show('out', out)
  conn.send_query('SELECT g FROM generate_series(1, 500) g')
  conn.set_single_row_mode
  show('single rows', conn.get_result.stream_each_row.count)
  nil while conn.get_result
  conn.send_query('SELECT pg_sleep(30)')
  sleep 0.2
  conn.cancel
  begin
    conn.get_last_result
  rescue PG::Error => error
    show('cancelled', fields(error))
  end
  show('after', conn.exec('SELECT 1').values)
  conn.enter_pipeline_mode
  conn.send_query_params('SELECT 1', [])
  conn.send_query_params('SELECT * FROM shop.nothing', [])
  conn.send_query_params('SELECT 2', [])
  conn.pipeline_sync
  statuses = []
  until statuses.last == PG::PGRES_PIPELINE_SYNC
    result = conn.sync_get_result
    statuses << result.result_status if result
  end
  show('pipeline', statuses)
  conn.exit_pipeline_mode
  conn.exec('LISTEN news')
  conn.exec("NOTIFY news, 'hello'")
  conn.wait_for_notify(2) { |channel, pid, payload| show('notify', [channel, pid == conn.backend_pid, payload]) }
end

def masked
  conn = PG.connect
  query = 'SELECT * FROM crm.people ORDER BY id'
  [0, 1].each { |format| show('lengths', conn.exec_params(query, [], format).values.map { |r| r.map { |v| v.nil? } }) }
  types = PG::BasicTypeRegistry.new.register_default_types
  conn.type_map_for_results = PG::BasicTypeMapForResults.new(conn, registry: types).tap { |map| map.default_type_map = PG::TypeMapAllStrings.new }
  rows = conn.exec_params(query, []).to_a
  kind = ->(value) { [true, false].include?(value) ? 'boolean' : value.class.name }
  show('types', rows.map { |r| r.values.map(&kind) })
  show('kept', rows.map { |r| [r['id'], r['note']] })
end

def ruled
  conn = PG.connect
  conn.transaction do
    conn.exec('UPDATE shop.items SET price = 5 WHERE id = 1')
    conn.exec('SAVEPOINT here')
    begin
      conn.exec('DELETE FROM shop.sales')
    rescue PG::InsufficientPrivilege => error
      show('refused', error.result.error_field(PG::PG_DIAG_SQLSTATE))
    end
    refused(conn, 'aborted', 'SELECT 1')
    conn.exec('ROLLBACK TO here')
    show('recovered', conn.exec('SELECT price FROM shop.items WHERE id = 1').values)
  end
end

send(ARGV.fetch(0))
