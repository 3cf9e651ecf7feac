"""psycopg2: what it sees of a server. Prints one line per observation; connects by PG* variables."""
import io
import json
import select
import sys
import threading

import psycopg2
import psycopg2.extras


def show(name, value):
    print(f"{name}: {json.dumps(value, default=str, sort_keys=True)}", flush=True)


def diag(error):
    d = error.diag
    return [d.sqlstate, d.severity, d.message_primary, d.message_detail, d.message_hint,
            d.statement_position, d.table_name, d.column_name, d.constraint_name]


def refused(cur, name, query, params=None):
    try:
        cur.execute(query, params)
        show(name, "no error")
    except psycopg2.Error as error:
        show(name, diag(error))


def session():
    conn = psycopg2.connect("")
    conn.autocommit = True
    cur = conn.cursor()
    cur.execute("SELECT id, name, price, data, tags, made, uid, raw, mood FROM shop.items WHERE id = %s", (3,))
    show("row", [bytes(v).hex() if isinstance(v, memoryview) else str(v) for v in cur.fetchone()])
    show("description", [[c.name, c.type_code if c.type_code < 16384 else "own", c.internal_size] for c in cur.description])
    refused(cur, "undefined", "SELECT nope FROM shop.items")
    refused(cur, "unique", "INSERT INTO shop.items (id, name, price) VALUES (%s, 'x', 1)", (1,))
    refused(cur, "not null", "INSERT INTO shop.items (id) VALUES (500)")
    refused(cur, "syntax", "SELEC 1")
    cur.execute("SELECT 1; SELECT 2 AS b")
    show("several", cur.fetchall())
    psycopg2.extras.execute_values(cur, "INSERT INTO shop.sales (item_id, quantity) VALUES %s", [(1, n) for n in range(1, 50)])
    cur.execute("SELECT count(*) FROM shop.sales")
    show("counted", cur.fetchone())
    conn.autocommit = False

    named = conn.cursor("named")
    named.itersize = 9
    named.execute("SELECT id FROM shop.items ORDER BY id")
    show("named cursor", [r[0] for r in named])
    named.close()
    cur.execute("SAVEPOINT here")
    refused(cur, "in transaction", "SELECT 1/0")
    refused(cur, "aborted", "SELECT 1")
    cur.execute("ROLLBACK TO here")
    cur.execute("SELECT 'back'")
    show("savepoint", cur.fetchone())
    conn.rollback()

    cur.execute("CREATE TEMP TABLE loaded (id int, name text)")
    cur.copy_expert("COPY loaded FROM STDIN", io.StringIO("".join(f"{n}\tname {n}\n" for n in range(20000))))
    cur.execute("SELECT count(*), sum(id) FROM loaded")
    show("copied", cur.fetchone())
    out = io.StringIO()
    cur.copy_expert("COPY (SELECT id, name, data FROM shop.items ORDER BY id) TO STDOUT WITH CSV HEADER", out)
    show("csv", out.getvalue())
    out = io.BytesIO()
    cur.copy_expert("COPY (SELECT id, price, made FROM shop.items ORDER BY id) TO STDOUT WITH BINARY", out)
    show("binary", out.getvalue().hex()[:200])
    conn.commit()

    timer = threading.Timer(0.2, conn.cancel)
    timer.start()
    refused(cur, "cancelled", "SELECT pg_sleep(30)")
    timer.join()
    conn.rollback()
    cur.execute("SELECT 1")
    show("after cancel", cur.fetchone())
    conn.rollback()

    other = psycopg2.connect("")
    other.autocommit = conn.autocommit = True
    cur.execute("LISTEN news")
    other.cursor().execute("NOTIFY news, 'hello'")
    select.select([conn], [], [], 5)
    conn.poll()
    show("notify", [[n.channel, n.payload, n.pid == other.info.backend_pid] for n in conn.notifies])
    cur.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
    show("notices", conn.notices)
    lob = psycopg2.connect("")
    large = lob.lobject(0, "wb")
    large.write(b"large object" * 5000)
    large.seek(0)
    show("server version", lob.server_version)
    large.close()
    again = lob.lobject(large.oid, "rb")
    show("large object", len(again.read()))
    lob.rollback()


def masked():
    conn = psycopg2.connect("")
    cur = conn.cursor()
    cur.execute("SELECT * FROM crm.people ORDER BY id")
    rows = cur.fetchall()
    show("types", [[type(v).__name__ for v in r] for r in rows])
    show("kept", [[r[0], r[-1]] for r in rows])
    named = conn.cursor("named")
    named.execute("SELECT * FROM crm.people ORDER BY id")
    show("named", len(named.fetchall()))
    for form in ("text", "binary", "csv"):
        out = io.BytesIO()
        cur.copy_expert(f"COPY crm.people TO STDOUT (FORMAT {form})", out)
        show(form, len(out.getvalue()) > 0)


def ruled():
    conn = psycopg2.connect("")
    cur = conn.cursor()
    cur.execute("UPDATE shop.items SET price = 5 WHERE id = 1")
    cur.execute("SAVEPOINT here")
    try:
        cur.execute("DELETE FROM shop.sales")
    except psycopg2.errors.InsufficientPrivilege as error:
        show("refused", error.diag.sqlstate)
    refused(cur, "aborted", "SELECT 1")
    cur.execute("ROLLBACK TO here")
    cur.execute("SELECT price FROM shop.items WHERE id = 1")
    show("recovered", cur.fetchone())
    conn.commit()


{"session": session, "masked": masked, "ruled": ruled}[sys.argv[1]]()
