"""PyMySQL or mysqlclient (the argument): what it sees of a server. One line per observation; connects by MY* variables."""
import importlib
import json
import os
import sys
import threading
import time

driver = importlib.import_module(sys.argv[1])
cursors = importlib.import_module(sys.argv[1] + ".cursors")


def show(name, value):
    print(f"{name}: {json.dumps(value, default=repr, sort_keys=True)}", flush=True)


def connect(**more):
    ca = os.environ.get("MYCA")
    ssl = {"ssl": {"ca": ca}} if ca else {}
    return driver.connect(host=os.environ["MYHOST"], port=int(os.environ["MYPORT"]), user=os.environ["MYUSER"],
                          password=os.environ["MYPASSWORD"], database=os.environ["MYDATABASE"], charset="utf8mb4",
                          **ssl, **more)


def refused(cur, name, query, params=None):
    try:
        cur.execute(query, params)
        show(name, "no error")
    except driver.Error as error:
        show(name, [type(error).__name__, *error.args])


def session():
    conn = connect(autocommit=True)
    cur = conn.cursor()
    cur.execute("SELECT * FROM items ORDER BY id")
    show("rows", cur.fetchall())
    show("description", [d[:2] for d in cur.description])
    cur.execute("SELECT id, name FROM items WHERE id = %s AND name LIKE %s", (3, "item%"))
    show("bound", cur.fetchone())
    refused(cur, "undefined", "SELECT nope FROM items")
    refused(cur, "unique", "INSERT INTO items (id, name, price) VALUES (%s, 'x', 1)", (1,))
    refused(cur, "not null", "INSERT INTO items (id, name, price) VALUES (500, NULL, 1)")
    refused(cur, "reference", "INSERT INTO sales (item_id) VALUES (99)")
    refused(cur, "syntax", "SELEC 1")
    cur.execute("UPDATE sales SET quantity = quantity + 1 WHERE item_id = 1")
    show("updated", cur.rowcount)
    cur.execute("INSERT INTO sales (item_id) VALUES (2)")
    show("inserted", [cur.rowcount, cur.lastrowid])
    cur.executemany("INSERT INTO sales (item_id, quantity) VALUES (%s, %s)", [(1, n) for n in range(1, 50)])
    cur.execute("SELECT count(*), sum(quantity) FROM sales")
    show("counted", cur.fetchone())
    cur.execute("SELECT ROW_COUNT(), FOUND_ROWS(), LAST_INSERT_ID()")
    show("session functions", cur.fetchone())
    conn.autocommit(False)
    cur.execute("DELETE FROM sales")
    cur.execute("SAVEPOINT here")
    cur.execute("DELETE FROM items")
    cur.execute("ROLLBACK TO here")
    cur.execute("SELECT count(*) FROM items")
    show("savepoint", cur.fetchone())
    conn.rollback()
    cur.execute("SELECT count(*) FROM sales")
    show("rolled back", cur.fetchone())
    conn.rollback()
    conn.autocommit(True)
    cur.execute("CREATE TEMPORARY TABLE loaded (id int, name text)")
    cur.executemany("INSERT INTO loaded VALUES (%s, %s)", [(n, f"name {n}") for n in range(5000)])
    cur.execute("SELECT count(*), sum(id) FROM loaded")
    show("loaded", cur.fetchone())
    cur.execute("SELECT 'x' + 1")
    cur.execute("SHOW WARNINGS")
    show("warnings", cur.fetchall())
    streaming = connect()
    stream = streaming.cursor(cursors.SSCursor)
    stream.execute("SELECT a.id, b.id FROM items a CROSS JOIN items b ORDER BY 1, 2")
    show("streamed", [list(row) for row in stream])
    stream.close()
    conn.select_db(os.environ["MYDATABASE"])
    cur.execute("SELECT DATABASE() = %s", (os.environ["MYDATABASE"],))
    show("database", cur.fetchone())
    conn.ping()
    big = "x" * 300_000
    cur.execute("SELECT LENGTH(%s)", (big,))
    show("long", cur.fetchone())
    ended = []
    timer = threading.Timer(0.3, lambda: connect().cursor().execute(f"KILL QUERY {conn.thread_id()}"))
    timer.start()
    started = time.monotonic()
    try:
        cur.execute("SELECT SLEEP(20)")
        ended = [cur.fetchone()]
    except driver.Error as error:
        ended = [type(error).__name__, *error.args]
    timer.join()
    show("cancelled", [ended, time.monotonic() - started < 10])
    cur.execute("SELECT 1")
    show("after cancel", cur.fetchone())
    cur.execute("SHOW TABLES")
    show("tables", cur.fetchall())
    cur.execute("SHOW COLUMNS FROM items")
    show("columns", cur.fetchall())


session()
