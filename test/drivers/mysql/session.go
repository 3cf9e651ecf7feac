// go-sql-driver: what it sees of a server. One line per observation; connects by MY* variables.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"os"
	"time"

	"context"

	"github.com/go-sql-driver/mysql"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func refused(db *sql.DB, name, query string, args ...interface{}) {
	_, err := db.Exec(query, args...)
	if e, ok := err.(*mysql.MySQLError); ok {
		fmt.Println(name+":", e.Number, e.Message)
	} else {
		fmt.Println(name+":", err)
	}
}

func rows(db *sql.DB, name, query string, args ...interface{}) {
	found, err := db.Query(query, args...)
	check(err)
	defer found.Close()
	columns, _ := found.ColumnTypes()
	for _, column := range columns {
		fmt.Print(column.Name(), " ", column.DatabaseTypeName(), "; ")
	}
	fmt.Println()
	for found.Next() {
		cells := make([]interface{}, len(columns))
		for i := range cells {
			cells[i] = new(sql.NullString)
		}
		check(found.Scan(cells...))
		fmt.Print(name, ":")
		for _, cell := range cells {
			fmt.Printf(" %q", cell.(*sql.NullString).String)
		}
		fmt.Println()
	}
	check(found.Err())
}

func main() {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", os.Getenv("MYHOST")+":"+os.Getenv("MYPORT")
	config.User, config.Passwd, config.DBName = os.Getenv("MYUSER"), os.Getenv("MYPASSWORD"), os.Getenv("MYDATABASE")
	if ca := os.Getenv("MYCA"); ca != "" {
		pem, err := os.ReadFile(ca)
		check(err)
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		check(mysql.RegisterTLSConfig("own", &tls.Config{RootCAs: pool, ServerName: "localhost"}))
		config.TLSConfig = "own"
	}
	db, err := sql.Open("mysql", config.FormatDSN())
	check(err)
	check(db.Ping())
	rows(db, "text", "SELECT * FROM items ORDER BY id")
	rows(db, "prepared", "SELECT * FROM items WHERE id >= ? ORDER BY id", 2)
	refused(db, "undefined", "SELECT nope FROM items")
	refused(db, "unique", "INSERT INTO items (id, name, price) VALUES (?, 'x', 1)", 1)
	refused(db, "syntax", "SELEC 1")
	tx, err := db.Begin()
	check(err)
	result, err := tx.Exec("UPDATE sales SET quantity = quantity + ?", 1)
	check(err)
	changed, _ := result.RowsAffected()
	fmt.Println("changed:", changed)
	check(tx.Rollback())
	statement, err := db.Prepare("INSERT INTO sales (item_id, quantity) VALUES (?, ?)")
	check(err)
	for n := 0; n < 20; n++ {
		_, err = statement.Exec(1, n)
		check(err)
	}
	rows(db, "count", "SELECT COUNT(*), SUM(quantity) FROM sales")
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err = db.ExecContext(ctx, "SELECT SLEEP(20)")
	fmt.Println("cancelled:", err)
	rows(db, "after", "SELECT 1 AS one")
	check(db.Close())
}
