// Session shows what pgx (v4) sees of a server. One line per observation; connects by PG* variables.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

var ctx = context.Background()

func show(name string, value interface{}) { fmt.Printf("%s: %v\n", name, value) }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func connect(simple bool) *pgx.Conn {
	config, err := pgx.ParseConfig("")
	check(err)
	config.PreferSimpleProtocol = simple
	conn, err := pgx.ConnectConfig(ctx, config)
	check(err)
	return conn
}

type queryer interface {
	Query(ctx context.Context, sql string, args ...interface{}) (pgx.Rows, error)
}

func rows(conn queryer, query string, args ...interface{}) string {
	result, err := conn.Query(ctx, query, args...)
	if err != nil {
		return fields(err)
	}
	defer result.Close()
	var out strings.Builder
	for result.Next() {
		values, err := result.Values()
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&out, "%v;", values)
	}
	if result.Err() != nil {
		return fields(result.Err())
	}
	return out.String()
}

func fields(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return fmt.Sprint(e.Code, " ", e.Message, " ", e.Detail, " ", e.Hint, " ", e.Position, " ", e.TableName, " ", e.ConstraintName)
	}
	return err.Error()
}

func session() {
	for _, simple := range []bool{false, true} {
		conn := connect(simple)
		for id := 1; id < 4; id++ {
			show("row", rows(conn, "SELECT id, name, price::text, data, made::text, uid::text, raw FROM shop.items WHERE id = $1", id))
		}
		show("undefined", rows(conn, "SELECT nope FROM shop.items"))
		show("unique", rows(conn, "INSERT INTO shop.items (id, name, price) VALUES ($1, 'x', 1)", 1))
		show("syntax", rows(conn, "SELEC 1"))
		tx, err := conn.Begin(ctx)
		check(err)
		show("changed", rows(tx, "UPDATE shop.items SET price = 1 WHERE id = 1 RETURNING id"))
		inner, err := tx.Begin(ctx)
		check(err)
		show("failed", rows(inner, "SELECT 1/0"))
		show("aborted", rows(inner, "SELECT 1"))
		check(inner.Rollback(ctx))
		show("back", rows(tx, "SELECT count(*) FROM shop.items"))
		check(tx.Rollback(ctx))
		check(conn.Close(ctx))
	}
	conn := connect(false)
	batch := &pgx.Batch{}
	for n := 1; n < 50; n++ {
		batch.Queue("INSERT INTO shop.sales (item_id, quantity) VALUES ($1, $2)", 1, n)
	}
	batch.Queue("SELECT count(*) FROM shop.sales")
	results := conn.SendBatch(ctx, batch)
	for n := 1; n < 50; n++ {
		_, err := results.Exec()
		check(err)
	}
	var count int
	check(results.QueryRow().Scan(&count))
	show("batch", count)
	check(results.Close())
	bad := &pgx.Batch{}
	bad.Queue("UPDATE shop.items SET price = 3 WHERE id = 1")
	bad.Queue("SELECT * FROM shop.nothing")
	bad.Queue("SELECT 1")
	show("failed batch", fields(conn.SendBatch(ctx, bad).Close()))
	show("undone", rows(conn, "SELECT price::text FROM shop.items WHERE id = 1"))
	_, err := conn.Exec(ctx, "CREATE TEMP TABLE loaded (id int, name text)")
	check(err)
	data := [][]interface{}{}
	for n := 0; n < 5000; n++ {
		data = append(data, []interface{}{n, "name"})
	}
	copied, err := conn.CopyFrom(ctx, pgx.Identifier{"loaded"}, []string{"id", "name"}, pgx.CopyFromRows(data))
	check(err)
	show("copied", copied)
	var out bytes.Buffer
	tag, err := conn.PgConn().CopyTo(ctx, &out, "COPY (SELECT id, name FROM shop.items ORDER BY id) TO STDOUT")
	check(err)
	show("out", tag.String()+out.String())
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	_, err = conn.Exec(short, "SELECT pg_sleep(30)")
	cancel()
	show("timed out", err != nil)
	conn = connect(false)
	go func() {
		time.Sleep(200 * time.Millisecond)
		check(conn.PgConn().CancelRequest(ctx))
	}()
	show("cancelled", rows(conn, "SELECT pg_sleep(30)"))
	show("after", rows(conn, "SELECT 1"))
	_, err = conn.Exec(ctx, "LISTEN news")
	check(err)
	_, err = conn.Exec(ctx, "NOTIFY news, 'hello'")
	check(err)
	note, err := conn.WaitForNotification(ctx)
	check(err)
	show("notify", fmt.Sprint(note.Channel, note.Payload, note.PID == conn.PgConn().PID()))
	check(conn.Close(ctx))
}

func masked() {
	for _, simple := range []bool{false, true} {
		conn := connect(simple)
		for n := 0; n < 2; n++ {
			result, err := conn.Query(ctx, "SELECT * FROM crm.people ORDER BY id")
			check(err)
			for result.Next() {
				values, err := result.Values()
				check(err)
				var kinds []string
				for _, v := range values {
					kinds = append(kinds, fmt.Sprintf("%T", v))
				}
				show("types", kinds)
				show("kept", fmt.Sprint(values[0], values[len(values)-1]))
			}
			check(result.Err())
		}
		var out bytes.Buffer
		_, err := conn.PgConn().CopyTo(ctx, &out, "COPY crm.people TO STDOUT (FORMAT binary)")
		check(err)
		check(conn.Close(ctx))
	}
}

func ruled() {
	conn := connect(false)
	tx, err := conn.Begin(ctx)
	check(err)
	show("changed", rows(tx, "UPDATE shop.items SET price = 5 WHERE id = 1 RETURNING id"))
	inner, err := tx.Begin(ctx)
	check(err)
	_, err = inner.Exec(ctx, "DELETE FROM shop.sales WHERE id = $1", 1)
	show("refused", err.(*pgconn.PgError).Code)
	show("aborted", rows(inner, "SELECT 1"))
	check(inner.Rollback(ctx))
	show("recovered", rows(tx, "SELECT price::text FROM shop.items WHERE id = 1"))
	check(tx.Commit(ctx))
	batch := &pgx.Batch{}
	batch.Queue("UPDATE shop.items SET price = 9 WHERE id = 1")
	batch.Queue("DELETE FROM shop.sales")
	batch.Queue("SELECT 1")
	results := conn.SendBatch(ctx, batch)
	var failed string
	for n := 0; n < 3 && failed == ""; n++ {
		if _, err := results.Exec(); err != nil {
			var e *pgconn.PgError
			if errors.As(err, &e) {
				failed = fmt.Sprint(n, " ", e.Code)
			} else {
				failed = err.Error()
			}
		}
	}
	results.Close()
	show("batch", failed)
	show("undone", rows(conn, "SELECT price::text FROM shop.items WHERE id = 1"))
}

func main() {
	map[string]func(){"session": session, "masked": masked, "ruled": ruled}[os.Args[1]]()
}
