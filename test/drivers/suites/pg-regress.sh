#!/bin/sh
# PostgreSQL's own regression tests, directly and through the gateway; the two outputs must be equal.
# README.md says what to set. Prints one line per test whose output differs, then the count.
set -eu
: "${PG_SOURCE:?a built PostgreSQL source tree}" "${PG_BINDIR:?a folder with psql}"
kind=${1:-regress}
here=$(cd "$(dirname "$0")" && pwd)
work=${SALLYPORT_SUITE_WORK:-$(mktemp -d)}
mkdir -p "$work"
chmod 755 "$work"

case $kind in
  regress) suite=$PG_SOURCE/src/test/regress runner=$suite/pg_regress database=regression ;;
  isolation)
    suite=$PG_SOURCE/src/test/isolation runner=$suite/pg_isolation_regress
    database=isolation_regression
    ;;
  *) echo "usage: $0 [regress|isolation]" >&2; exit 2 ;;
esac

run() { # run NAME PORT PASSWORD: the tests against that port, output in $work/NAME
  out=$work/$1
  mkdir -p "$out/sql" "$out/results" "$out/testtablespace"
  chmod 777 "$out" "$out/results" "$out/testtablespace"
  # The server, which has an account of its own, writes into folders that the runner makes.
  (umask 0 && cd "$suite" && PGPASSWORD=$3 PGSSLMODE=prefer PATH=$PG_BINDIR:$suite:$PATH "$runner" \
    --use-existing --dbname=$database --host=127.0.0.1 --port="$2" --user=postgres \
    --inputdir="$suite" --outputdir="$out" --bindir="$PG_BINDIR" --dlpath="$PG_SOURCE/src/test/regress" \
    --schedule="${PG_SCHEDULE:-$suite/$( [ $kind = regress ] && echo parallel_schedule || echo isolation_schedule )}" \
    >"$work/$1.log" 2>&1) || true
  tail -3 "$work/$1.log" | sed "s/^/$1: /"
}

for name in direct gateway; do
  rm -f "$work/addresses"
  SALLYPORT_SUITE_DATABASE=$database SALLYPORT_SUITE_SETTINGS='{"max_connections":"60","synchronous_commit":"on"}' \
    node "$here/serve.ts" "$work/addresses" >"$work/$name.serve.log" 2>&1 &
  server=$!
  trap 'kill $server 2>/dev/null || true' EXIT INT TERM
  while [ ! -s "$work/addresses" ]; do
    kill -0 $server || { cat "$work/$name.serve.log"; exit 1; }
    sleep 0.2
  done
  . "$work/addresses"
  PGPASSWORD=$PG_PASSWORD "$PG_BINDIR/psql" -Xq -h 127.0.0.1 -p "$PG_PORT" -U postgres -d postgres <<SQL
ALTER DATABASE $database SET lc_messages TO 'C';
ALTER DATABASE $database SET lc_monetary TO 'C';
ALTER DATABASE $database SET lc_numeric TO 'C';
ALTER DATABASE $database SET lc_time TO 'C';
ALTER DATABASE $database SET bytea_output TO 'hex';
ALTER DATABASE $database SET timezone_abbreviations TO 'Default';
SQL
  if [ $name = direct ]; then run direct "$PG_PORT" "$PG_PASSWORD"; else run gateway "$GW_PORT" "$GW_TOKEN"; fi
  kill $server
  wait $server 2>/dev/null || true
  trap - EXIT INT TERM
done

total=0 different=0
for file in "$work"/direct/results/*.out; do
  total=$((total + 1))
  other=$work/gateway/results/$(basename "$file")
  sed "s#$work/direct#WORK#g" "$file" >"$work/direct.out"
  sed "s#$work/gateway#WORK#g" "$other" >"$work/gateway.out" 2>/dev/null || :
  if ! cmp -s "$work/direct.out" "$work/gateway.out"; then
    different=$((different + 1))
    echo "differs: $(basename "$file" .out)"
  fi
done
echo "$kind: $((total - different)) of $total tests give the same output through the gateway ($work)"
[ $different -eq 0 ]
