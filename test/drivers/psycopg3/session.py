"""psycopg 3: what it sees of a server. Prints one line per observation; connects by PG* variables."""
import json
import os
import sys
import threading
import time

import psycopg
from psycopg import sql
from psycopg.rows import dict_row


def show(name, value):
    print(f"{name}: {json.dumps(value, default=str, sort_keys=True)}", flush=True)


def diag(error):
    d = error.diag
    return [d.sqlstate, d.severity, d.message_primary, d.message_detail, d.message_hint,
            d.statement_position, d.schema_name, d.table_name, d.column_name, d.constraint_name]


def connect(**more):
    return psycopg.connect("", **more)


def refused(conn, name, query, params=None):
    try:
        conn.execute(query, params)
        show(name, "no error")
    except psycopg.Error as error:
        show(name, diag(error))


def session():
    for threshold in (None, 0, 5):
        with connect(autocommit=True, prepare_threshold=threshold) as conn:
            for n in range(8):
                row = conn.execute("SELECT id, name, price, data, tags, made, uid, raw, mood FROM shop.items WHERE id = %s",
                                   (n + 1,)).fetchone()
            show(f"row at threshold {threshold}", [str(v) for v in row])
            refused(conn, "undefined column", "SELECT nope FROM shop.items")
            refused(conn, "unique", "INSERT INTO shop.items (id, name, price) VALUES (%s, 'x', 1)", (1,))
            refused(conn, "check", "INSERT INTO shop.items (id, name, price) VALUES (77, 'x', %s)", (-1,))
            refused(conn, "syntax", "SELEC 1")
            show("still usable", conn.execute("SELECT 1").fetchone())

    with connect(autocommit=True) as conn:
        cur = conn.cursor(binary=True)
        cur.execute("SELECT id, price, data, tags, made, uid, raw, 1.5::float8, true, NULL::int FROM shop.items WHERE id = 3")
        show("binary", [[type(v).__name__, str(v)] for v in cur.fetchone()])
        show("description", [[c.name, c.type_code, c.precision, c.scale, c.internal_size] for c in cur.description])
        cur.executemany("INSERT INTO shop.sales (item_id, quantity) VALUES (%s, %s) RETURNING quantity",
                        [(1, n) for n in range(1, 30)], returning=True)
        got = [cur.fetchone()[0]]
        while cur.nextset():
            got.append(cur.fetchone()[0])
        show("executemany returning", got)

    with connect() as conn:
        with conn.cursor("named", row_factory=dict_row) as cur:
            cur.itersize = 7
            cur.execute("SELECT id FROM shop.items ORDER BY id")
            show("named cursor", [r["id"] for r in cur])
        with conn.cursor("scrolling", scrollable=True) as cur:
            cur.execute("SELECT id FROM shop.items ORDER BY id")
            cur.scroll(10)
            show("scrolled", cur.fetchmany(2))
            cur.scroll(0, "absolute")
            show("back", cur.fetchone())
        conn.execute("DELETE FROM shop.sales")
        try:
            with conn.transaction():
                conn.execute("UPDATE shop.items SET price = 0")
                conn.execute("SELECT 1/0")
        except psycopg.errors.DivisionByZero as error:
            show("inner", diag(error))
        show("status", conn.info.transaction_status.name)
        show("kept", conn.execute("SELECT count(*), min(price) FROM shop.items").fetchone())
        conn.rollback()

    with connect() as conn, conn.pipeline() as pipe:
        first = conn.execute("SELECT 1")
        second = conn.execute("INSERT INTO shop.sales (item_id) VALUES (2) RETURNING item_id")
        pipe.sync()
        show("pipeline", [first.fetchone(), second.fetchone()])
        try:
            bad = conn.execute("SELECT * FROM shop.nothing")
            conn.execute("SELECT 2")
            pipe.sync()
            bad.fetchone()
        except psycopg.Error as error:
            show("pipeline error", diag(error))
        try:
            conn.rollback()
        except psycopg.errors.PipelineAborted:
            # What was behind the error may be read only now.
            conn.rollback()
        show("after", conn.execute("SELECT 3").fetchone())

    with connect() as conn:
        with conn.cursor() as cur:
            cur.execute("CREATE TEMP TABLE loaded (id int, name text, at timestamptz) ON COMMIT DROP")
            with cur.copy("COPY loaded FROM STDIN") as copy:
                for n in range(3000):
                    copy.write_row((n, f"name {n}\t\\", None))
            with cur.copy("COPY loaded FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["int4", "text", "timestamptz"])
                for n in range(100):
                    copy.write_row((n, "b", None))
            cur.execute("SELECT count(*), sum(id) FROM loaded")
            show("copied", cur.fetchone())
            with cur.copy("COPY (SELECT * FROM shop.items ORDER BY id LIMIT 3) TO STDOUT") as copy:
                show("rows out", [list(r) for r in copy.rows()])
            with cur.copy("COPY (SELECT id, price, made FROM shop.items ORDER BY id) TO STDOUT (FORMAT binary)") as copy:
                copy.set_types(["int4", "numeric", "timestamptz"])
                show("binary out", [[str(v) for v in r] for r in copy.rows()][:3])
            try:
                with cur.copy("COPY loaded FROM STDIN") as copy:
                    copy.write("not a number\tx\t\\N\n")
            except psycopg.Error as error:
                show("copy error", diag(error))
        conn.rollback()
        show("idle", conn.info.transaction_status.name)

    with connect(autocommit=True) as conn:
        timer = threading.Timer(0.2, conn.cancel)
        timer.start()
        refused(conn, "cancelled", "SELECT pg_sleep(30)")
        timer.join()
        show("after cancel", conn.execute("SELECT 1").fetchone())

    with connect(autocommit=True) as conn, connect(autocommit=True) as other:
        conn.execute("LISTEN news")
        notes = conn.notifies()
        other.execute("NOTIFY news, 'hello'")
        note = next(notes)
        show("notify", [note.channel, note.payload, note.pid == other.info.backend_pid])
        notes.close()

    with connect(options="-c search_path=shop -c statement_timeout=9s", application_name="driver test") as conn:
        show("options", [conn.execute(sql.SQL("SHOW {}").format(sql.Identifier(n))).fetchone()[0]
                         for n in ("search_path", "statement_timeout", "application_name")])
        show("parameters", [conn.info.parameter_status(n) for n in
                            ("server_encoding", "client_encoding", "DateStyle", "TimeZone", "integer_datetimes",
                             "standard_conforming_strings", "is_superuser", "session_authorization",
                             "in_hot_standby", "server_version")])
        show("pid", conn.info.backend_pid == conn.execute("SELECT pg_backend_pid()").fetchone()[0])


def masked():
    query = "SELECT * FROM crm.people ORDER BY id"
    for binary in (False, True):
        for threshold in (None, 0):
            with connect(autocommit=True, prepare_threshold=threshold) as conn:
                cur = conn.cursor(binary=binary)
                for _ in range(3):
                    rows = cur.execute(query).fetchall()
                show(f"types binary={binary} threshold={threshold}", [[type(v).__name__ for v in r] for r in rows])
                show("kept", [[r[0], r[-1]] for r in rows])
    with connect() as conn:
        with conn.cursor("named") as cur:
            cur.execute(query)
            show("named cursor", len(cur.fetchall()))
        for form in ("text", "binary", "csv"):
            with conn.cursor().copy(f"COPY crm.people TO STDOUT (FORMAT {form})") as copy:
                show(form, sum(1 for _ in copy) > 0)
        with conn.pipeline():
            show("pipeline", len(conn.execute(query).fetchall()))


def ruled():
    with connect() as conn:
        conn.execute("UPDATE shop.items SET price = 5 WHERE id = 1")
        try:
            with conn.transaction():
                conn.execute("DELETE FROM shop.sales")
        except psycopg.errors.InsufficientPrivilege as error:
            show("refused", error.diag.sqlstate)
        show("recovered", conn.execute("SELECT price FROM shop.items WHERE id = 1").fetchone())
        try:
            conn.execute("DELETE FROM shop.sales WHERE id = %s", (1,))
        except psycopg.errors.InsufficientPrivilege as error:
            show("refused", error.diag.sqlstate)
        show("status", conn.info.transaction_status.name)
        refused(conn, "aborted", "SELECT 1")
        conn.rollback()
        show("after", conn.execute("SELECT count(*) FROM shop.sales").fetchone())
        conn.rollback()
    with connect() as conn:
        with conn.pipeline() as pipe:
            kept = conn.execute("SELECT 1")
            pipe.sync()
            try:
                conn.execute("UPDATE shop.items SET price = 6 WHERE id = 1")
                bad = conn.execute("DELETE FROM shop.sales")
                skipped = conn.execute("SELECT 2")
                pipe.sync()
                bad.fetchone()
            except psycopg.Error as error:
                show("pipeline", [kept.fetchone(), error.diag.sqlstate])
            try:
                skipped.fetchone()
            except psycopg.Error as error:
                show("skipped", type(error).__name__)
            conn.rollback()
            show("after", conn.execute("SELECT price FROM shop.items WHERE id = 1").fetchone())


{"session": session, "masked": masked, "ruled": ruled}[sys.argv[1]]()
